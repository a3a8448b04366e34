import { z } from 'zod'

/** One setting of a schema, as people see it. */
export interface Setting {
  /** `peer.listen`; a part that is a name of one's own stands as `*`: `targets.*.kind`. */
  readonly path: readonly string[]
  readonly type: 'text' | 'number' | 'yes or no' | 'list'
  readonly summary: string
  readonly required: boolean
  /** As it would be written in a file. */
  readonly fallback?: unknown
  readonly choices?: readonly string[]
  /** Its value is shown to nobody. */
  readonly secret: boolean
}

interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly const?: string
  readonly secret?: boolean
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Node | boolean
  readonly oneOf?: readonly Node[]
}

/** Every setting of a schema, in its order. This is what the reference, the environment's names and `config show` use. */
export function settingsOf(schema: z.ZodType): readonly Setting[] {
  return walk(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node, [], false)
}

/** `['targets', '*', 'contentDir']` → `FLOTILLA_TARGETS_*_CONTENT_DIR`. */
export function environmentName(path: readonly string[]): string {
  const parts = path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
  return ['FLOTILLA', ...parts].join('_')
}

function walk(node: Node, path: readonly string[], required: boolean): Setting[] {
  if (node.properties !== undefined) {
    const needed = new Set(node.required)
    return Object.entries(node.properties).flatMap(([name, child]) => walk(child, [...path, name], needed.has(name)))
  }
  if (node.oneOf !== undefined) return merged(node.oneOf.flatMap((one) => walk(one, path, required)))
  if (typeof node.additionalProperties === 'object') {
    const secret = node.secret === true
    const child = node.additionalProperties
    const described = child.description === undefined && node.description !== undefined
    const summary = described ? { description: node.description } : {}
    return walk({ ...child, ...summary, secret: secret || child.secret === true }, [...path, '*'], false)
  }
  return [leaf(node, path, required)]
}

/** What several kinds have in common is one setting; the kinds themselves are its choices. */
function merged(settings: readonly Setting[]): Setting[] {
  const byPath = new Map<string, Setting>()
  for (const setting of settings) {
    const name = setting.path.join('.')
    const before = byPath.get(name)
    const choices = before?.choices === undefined ? undefined : [...before.choices, ...(setting.choices ?? [])]
    byPath.set(name, { ...(before ?? setting), ...(choices !== undefined && { choices: [...new Set(choices)] }) })
  }
  return [...byPath.values()]
}

function leaf(node: Node, path: readonly string[], required: boolean): Setting {
  const choices = node.enum ?? (node.const === undefined ? undefined : [node.const])
  return {
    path,
    type: TYPES[node.type ?? 'string'] ?? 'text',
    summary: node.description ?? '',
    required,
    secret: node.secret === true,
    ...(node.default !== undefined && { fallback: node.default }),
    ...(choices !== undefined && { choices }),
  }
}

const TYPES: Readonly<Record<string, Setting['type']>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'yes or no',
  array: 'list',
}
