import type { CatalogEntry } from './model.ts'
import { OBJECT_KINDS } from './model.ts'
import { splitKey } from './names.ts'

type Ordered = Pick<CatalogEntry, 'key' | 'needs' | 'class'>

/**
 * Entries in the order in which they can be made: everything after what it needs, and in the order of the kinds. Files come
 * before objects, which use them, but for access rules, which name them. Entries that need each other stay in the order of
 * their kinds.
 */
export function creationOrder<T extends Ordered>(entries: Iterable<T>): readonly T[] {
  const byRank = [...entries].toSorted((a, b) => rankOf(a) - rankOf(b) || (a.key < b.key ? -1 : 1))
  const byKey = new Map(byRank.map((entry) => [entry.key, entry]))
  const done = new Set<T>()
  for (const entry of byRank) visit(entry, byKey, done)
  return [...done]
}

/** The other way round: everything before what it needs. */
export function deletionOrder<T extends Ordered>(entries: Iterable<T>): readonly T[] {
  return creationOrder(entries).toReversed()
}

const RANKS: ReadonlyMap<string, number> = new Map(OBJECT_KINDS.map((kind, index) => [kind, index + 1]))
const FILES_FIRST = 0
const TILE_CONFIG = (RANKS.get('tile-layer') ?? 0) - 0.5
const ACCESS = (RANKS.get('tile-layer') ?? 0) + 0.5

function rankOf({ key, class: fileClass }: Ordered): number {
  if (fileClass === 'access' || fileClass === 'security') return ACCESS
  if (fileClass === 'tile-config') return TILE_CONFIG
  return RANKS.get(splitKey(key).kind) ?? FILES_FIRST
}

/** Depth first, without recursion: groups may be nested as deep as somebody likes. */
function visit<T extends Ordered>(first: T, byKey: ReadonlyMap<string, T>, done: Set<T>): void {
  const entered = new Set<T>()
  const waiting = [first]
  for (let entry = waiting.at(-1); entry !== undefined; entry = waiting.at(-1)) {
    if (done.has(entry)) waiting.pop()
    else if (entered.has(entry)) done.add(entry)
    else {
      entered.add(entry)
      for (const key of entry.needs) {
        const needed = byKey.get(key)
        if (needed !== undefined && !done.has(needed) && !entered.has(needed)) waiting.push(needed)
      }
    }
  }
}
