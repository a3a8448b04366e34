import { parseNodeKey } from '../core/keys.ts'
import type { Entry } from '../core/store.ts'
import type { CheckContext } from '../core/tree.ts'

/**
 * What the nodes of the tree that are alive say of themselves, from the entries under `node/`: the values that every one of them
 * defines, and the oldest version of the application. A report that cannot be understood says nothing.
 */
export function contextOf(entries: readonly Entry[], tree: string): Pick<CheckContext, 'nodeValues' | 'version'> {
  const alive = new Map<string, ReadonlySet<unknown>>()
  const versions = new Map<string, string>()
  for (const { key, value } of entries) {
    const at = parseNodeKey(key)
    const values = at?.family === 'alive' && isOf(value, tree) ? fieldOf(value, 'values') : undefined
    if (at !== undefined && Array.isArray(values)) alive.set(at.node, new Set(values))
    const version = at?.family === 'target' && at.tree === tree ? fieldOf(value, 'version') : undefined
    if (at !== undefined && typeof version === 'string' && /^\d+(?:\.\d+)*/.test(version))
      versions.set(at.node, version)
  }
  const [first, ...others] = alive.values()
  const nodeValues =
    first && new Set([...first].filter(isText).filter((name) => others.every((values) => values.has(name))))
  const known = [...alive.keys()].flatMap((node) => versions.get(node) ?? [])
  return { nodeValues, version: known.toSorted(compareVersions)[0] }
}

/** Nobody compiles the release on a node that only looks after a proxy. */
function isOf(alive: string, tree: string): boolean {
  const trees = fieldOf(alive, 'trees')
  return !Array.isArray(trees) || trees.includes(tree)
}

function fieldOf(json: string, field: string): unknown {
  try {
    return (JSON.parse(json) as Readonly<Record<string, unknown>> | null)?.[field]
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** `2.9` before `2.18`. */
function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) => version.split(/[^\d]+/).map(Number))
  for (const [index, part] of (first ?? []).entries()) {
    const difference = part - (second?.[index] ?? 0)
    if (difference !== 0) return difference
  }
  return (first?.length ?? 0) - (second?.length ?? 0)
}
