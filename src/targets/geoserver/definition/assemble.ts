import type { Problem } from '../../../core/problem.ts'
import type { Catalog, CatalogEntry } from './model.ts'

/**
 * The catalog of `entries`, in any order. Objects of one key in two files are both left out, and so is every object that
 * refers to one which is not there, in turn; each is a problem. `dataset` of a problem is the key.
 * The body of a style may be missing: GeoServer then cannot draw with it, but knows it.
 */
export function assemble(entries: Iterable<CatalogEntry>, found: readonly Problem[] = []): Catalog {
  const problems: Problem[] = [...found]
  const byKey = unique(entries, problems)
  for (let missing = dangling(byKey); missing.length > 0; missing = dangling(byKey)) {
    for (const { entry, key } of missing) {
      problems.push(missingReference(entry, key))
      byKey.delete(entry.key)
    }
  }
  for (const entry of byKey.values()) {
    const body = entry.needs.find((key) => key.startsWith('file/') && !byKey.has(key))
    if (body !== undefined) problems.push({ ...missingReference(entry, body), severity: 'warning' })
  }
  const sorted = [...byKey.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return { entries: new Map(sorted.map((entry) => [entry.key, entry])), problems }
}

function unique(entries: Iterable<CatalogEntry>, problems: Problem[]): Map<string, CatalogEntry> {
  const byKey = new Map<string, CatalogEntry>()
  const twice = new Map<string, CatalogEntry[]>()
  for (const entry of entries) {
    const first = byKey.get(entry.key)
    if (first === undefined) byKey.set(entry.key, entry)
    else twice.set(entry.key, [...(twice.get(entry.key) ?? [first]), entry])
  }
  for (const [key, all] of twice) {
    byKey.delete(key)
    for (const { path } of all) {
      const others = all.filter((other) => other.path !== path).map((other) => other.path)
      const message = `${key} is also in ${others.slice(0, 3).join(', ')}`
      const hint = 'Remove all but one of them.'
      problems.push({ severity: 'error', code: 'KEY_DUPLICATE', file: path, message, hint, dataset: key })
    }
  }
  return byKey
}

interface Dangling {
  readonly entry: CatalogEntry
  readonly key: string
}

function dangling(byKey: ReadonlyMap<string, CatalogEntry>): readonly Dangling[] {
  const found: Dangling[] = []
  for (const entry of byKey.values()) {
    const key = entry.needs.find((needed) => !byKey.has(needed) && !needed.startsWith('file/'))
    if (key !== undefined) found.push({ entry, key })
  }
  return found
}

function missingReference(entry: CatalogEntry, key: string): Problem {
  const message = `${entry.key} refers to ${key}, which is not there`
  return { severity: 'error', code: 'REFERENCE_MISSING', file: entry.path, message, dataset: entry.key }
}
