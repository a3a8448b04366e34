import type { Problem } from '../../../core/problem.ts'
import type { Catalog, CatalogEntry } from './model.ts'
import { nameIn, splitKey } from './names.ts'

/**
 * The catalog of `entries`, in any order. Objects of one key in two files are both left out, and so is every object that
 * refers to one which is not there, in turn; each is a problem. `dataset` of a problem is the key.
 * The body of a style may be missing: GeoServer then cannot draw with it, but knows it.
 */
export function assemble(entries: Iterable<CatalogEntry>, found: readonly Problem[] = []): Catalog {
  const problems: Problem[] = [...found]
  const byKey = unique(entries, problems)
  leaveOutDangling(byKey, problems)
  for (const entry of byKey.values()) {
    const body = entry.needs.find((key) => isFile(key) && !byKey.has(key))
    if (body !== undefined) problems.push({ ...missingReference(entry, body), severity: 'warning' })
    if (!isWhereItIsCalled(entry)) problems.push(otherFolder(entry))
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

function leaveOutDangling(byKey: Map<string, CatalogEntry>, problems: Problem[]): void {
  const gone: string[] = []
  const leaveOut = (entry: CatalogEntry, key: string): void => {
    problems.push(missingReference(entry, key))
    byKey.delete(entry.key)
    gone.push(entry.key)
  }
  for (const entry of byKey.values()) {
    const key = entry.needs.find((needed) => !isFile(needed) && !byKey.has(needed))
    if (key !== undefined) leaveOut(entry, key)
  }
  if (gone.length === 0) return
  const users = usersOf(byKey.values())
  for (let key = gone.pop(); key !== undefined; key = gone.pop()) {
    for (const user of users.get(key) ?? []) if (byKey.has(user.key)) leaveOut(user, key)
  }
}

function usersOf(entries: Iterable<CatalogEntry>): ReadonlyMap<string, readonly CatalogEntry[]> {
  const users = new Map<string, CatalogEntry[]>()
  for (const entry of entries) {
    for (const key of entry.needs) {
      const those = users.get(key)
      if (those === undefined) users.set(key, [entry])
      else those.push(entry)
    }
  }
  return users
}

function isFile(key: string): boolean {
  return key.startsWith('file/')
}

function missingReference(entry: CatalogEntry, key: string): Problem {
  const message = `${entry.key} refers to ${key}, which is not there`
  return { severity: 'error', code: 'REFERENCE_MISSING', file: entry.path, message, dataset: entry.key }
}

/** What lies in a folder of its own, with the place of the folder's name in the path. */
const FOLDERS: ReadonlyMap<string, number> = new Map([
  ['workspace', 1],
  ['datastore', 2],
  ['coveragestore', 2],
  ['wmsstore', 2],
  ['wmtsstore', 2],
  ['featuretype', 3],
  ['coverage', 3],
  ['wmslayer', 3],
  ['wmtslayer', 3],
])

function isWhereItIsCalled({ key, path }: CatalogEntry): boolean {
  const { kind, name } = splitKey(key)
  const place = FOLDERS.get(kind)
  return place === undefined || path.split('/')[place] === nameIn(name).name
}

function otherFolder({ key, path }: CatalogEntry): Problem {
  const message = `the folder of ${key} is called differently`
  const hint = 'Give the folder the name of the object: otherwise nodes find no templates and graphics in it.'
  return { severity: 'warning', code: 'FOLDER_NAME', file: path, message, hint, dataset: key }
}
