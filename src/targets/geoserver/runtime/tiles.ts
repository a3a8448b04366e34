import type { CatalogEntry } from '../definition/model.ts'
import { splitKey, spoken } from '../definition/names.ts'

type Entries = ReadonlyMap<string, CatalogEntry>

/**
 * Names of the layers and groups, as GeoWebCache calls them, whose tiles may show what was before these keys changed. What refers to
 * a changed object, through whatever is between, is drawn with it; a graphic or a template may be named by anything in its workspace.
 */
export function staleLayers(changed: readonly CatalogEntry[], entries: Entries): readonly string[] {
  const users = usersOf(entries)
  const queue = changed.flatMap((entry) => [entry.key, ...namedIn(entry, entries)])
  const seen = new Set<string>(queue)
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    for (const user of users.get(key) ?? []) {
      if (seen.has(user)) continue
      seen.add(user)
      queue.push(user)
    }
  }
  return [...seen].filter(isDrawn).map(spoken).toSorted()
}

/** Whether GeoWebCache may have tiles of it, under the name that REST has for it. */
export function isDrawn(key: string): boolean {
  const { kind } = splitKey(key)
  return kind === 'layer' || kind === 'layergroup'
}

/** By key, who needs it. */
function usersOf(entries: Entries): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>()
  for (const { key, needs } of entries.values()) {
    for (const need of needs) {
      const before = users.get(need)
      if (before === undefined) users.set(need, [key])
      else before.push(key)
    }
  }
  return users
}

/** Of a file that is named in texts and not by references: the objects whose texts may name it, by where both lie. */
function namedIn({ class: kind, path }: CatalogEntry, entries: Entries): readonly string[] {
  if (kind !== 'graphic' && kind !== 'template') return []
  const scope = scopeOf(path)
  const wanted = kind === 'graphic' ? /^style\// : /^(?:layer|layergroup)\//
  return [...entries.values()].flatMap((entry) =>
    wanted.test(entry.key) && entry.path.startsWith(scope) ? [entry.key] : [],
  )
}

/** A file of a workspace may be meant by that workspace only; one of a store or a type by what lies there. Others by all. */
function scopeOf(path: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const shared = /^(.*?\/?)(?:styles|templates)\//.exec(folder)
  return shared?.[1] ?? folder
}
