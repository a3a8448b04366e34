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
  /** Only where `kind`, beside the part of the path that is so long, is this one. */
  readonly of?: { readonly kind: string; readonly depth: number }
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
  if (node.oneOf !== undefined) return ofUnion(node.oneOf, path, required)
  if (typeof node.additionalProperties === 'object') {
    const secret = node.secret === true
    const child = node.additionalProperties
    const described = child.description === undefined && node.description !== undefined
    const summary = described ? { description: node.description } : {}
    return walk({ ...child, ...summary, secret: secret || child.secret === true }, [...path, '*'], false)
  }
  return [leaf(node, path, required)]
}

/** What all kinds have in common is one setting, and the kinds themselves are its choices; what only one has says so. */
function ofUnion(options: readonly Node[], path: readonly string[], required: boolean): Setting[] {
  const kinds = options.map((one) => ({ kind: one.properties?.['kind']?.const, settings: walk(one, path, required) }))
  const seen = new Map<string, number>()
  for (const { settings } of kinds)
    for (const setting of settings) seen.set(textOf(setting), (seen.get(textOf(setting)) ?? 0) + 1)
  const isCommon = (setting: Setting): boolean => seen.get(textOf(setting)) === kinds.length
  const [first] = kinds
  const choices = kinds.flatMap(({ kind }) => kind ?? [])
  const common = (first?.settings ?? []).filter((setting) => isCommon(setting))
  const own = kinds.flatMap(({ kind, settings }) => {
    const others = settings.filter((setting) => !isCommon(setting) && !isKind(setting, path))
    const of = kind === undefined ? {} : { of: { kind, depth: path.length } }
    return others.map((setting): Setting => Object.assign({}, setting, of))
  })
  const which = (first?.settings ?? []).find((setting) => isKind(setting, path))
  const named = common.filter((setting) => !isKind(setting, path))
  return [...(which === undefined ? [] : [{ ...which, choices }]), ...named, ...own]
}

function isKind(setting: Setting, path: readonly string[]): boolean {
  return setting.path.length === path.length + 1 && setting.path.at(-1) === 'kind'
}

function textOf(setting: Setting): string {
  return JSON.stringify(setting)
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
