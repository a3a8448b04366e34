import type { Glob } from './glob.ts'

/** Files that say what else is there: readers look at them first, so they become visible last. */
export function isMetadata(key: string): boolean {
  return key.endsWith('.json')
}

const NAMED = ['meta.json', 'in-progress.json', 'latest.json']

/** Among metadata, which comes before which: what is named last sends readers to all others. */
export function metadataRank(key: string): number {
  return 1 + NAMED.indexOf(key.slice(key.lastIndexOf('/') + 1))
}

const ROOTS = new Set(['data', 'data_run', 'data_spatial'])

/**
 * The model that a file belongs to: its metadata wait for all of its other files. `a/b` of `data/a/b`, and of `a/b` where the tree
 * holds nothing but models. Undefined elsewhere.
 */
export function modelOf(key: string, layout: 'models' | 'any'): string | undefined {
  const [first = '', second, third] = key.split('/')
  if (layout === 'models') return second === undefined ? undefined : first
  return ROOTS.has(first) && second !== undefined && third !== undefined ? `${first}/${second}` : undefined
}

/** The folder that becomes visible as a whole with this file: the topmost of those that contain it and match one of the globs. */
export function groupOf(key: string, groups: readonly Glob[]): string | undefined {
  if (groups.length === 0) return undefined
  for (let end = key.indexOf('/'); end > 0; end = key.indexOf('/', end + 1)) {
    const folder = key.slice(0, end)
    if (groups.some((group) => group.matches(group.text.endsWith('/') ? `${folder}/` : folder))) return folder
  }
  return undefined
}
