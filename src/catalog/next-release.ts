import type { TreeFile } from '../core/tree.ts'
import { classify } from '../targets/geoserver/definition/classify.ts'
import type { CatalogEntry } from '../targets/geoserver/definition/model.ts'
import { spoken, splitKey } from '../targets/geoserver/definition/names.ts'
import type { CatalogLook, Difference } from '../targets/geoserver/local.ts'

/** One object or file of a node that is to be in the next release as it is there. */
export interface Proposed {
  readonly key: string
  /** Undefined: the node has deleted it. */
  readonly local: CatalogEntry | undefined
  /** Its path in the release so far, if it is in it. */
  readonly before: string | undefined
  /** What the node has, in a word: another word is another proposal. */
  readonly version: string
}

/** Of a message, which is one line of at most 500 characters. */
const NAME_MAX = 200

/** What of a look waits to be released. What may only look deleted, because its file cannot be read just now, does not. */
export function proposedBy({ differences, tree }: CatalogLook): readonly Proposed[] {
  const broken = new Set(tree.catalog.problems.flatMap(({ file, severity }) => (severity === 'error' ? [file] : [])))
  const isTilesBroken = [...broken].some((path) => classify(path).kind === 'tile-layer')
  return differences
    .filter(({ decision }) => decision.do === 'propose')
    .filter((difference) => !isDoubtful(difference, broken, isTilesBroken))
    .map(({ key, local, desired }) => ({ key, local, before: desired?.path, version: local?.digest ?? '' }))
}

/** Which tile layer a file was, that cannot be read, nobody knows: its name does not say. */
function isDoubtful({ local, path, key }: Difference, broken: ReadonlySet<string>, isTilesBroken: boolean): boolean {
  if (local !== undefined) return false
  return broken.has(path) || (isTilesBroken && key.startsWith('tile-layer/'))
}

/** The files of a release with what is proposed in the place of what was there. Sorted. */
export function filesWith(released: readonly TreeFile[], proposed: readonly Proposed[]): readonly TreeFile[] {
  const files = new Map(released.map((file) => [file.path, file]))
  // All that goes, first: something else may lie there by now.
  for (const { before } of proposed) if (before !== undefined) files.delete(before)
  for (const { local } of proposed) {
    if (local !== undefined) files.set(local.path, { path: local.path, size: local.size, sha256: local.sha256 })
  }
  return [...files.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** What changed, and where, in a line: `topp:states (style) and 2 more on node a`. */
export function messageFor(proposed: readonly Proposed[], node: string): string {
  const [first, ...others] = proposed
  if (first === undefined) return `nothing on node ${node}`
  const deleted = proposed.every(({ local }) => local === undefined) ? ' deleted' : ''
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  return `${nameOf(first.key)}${more}${deleted} on node ${node}`
}

function nameOf(key: string): string {
  const { kind, name } = splitKey(key)
  const text = kind === 'file' ? name : `${spoken(key)} (${kind})`
  // oxlint-disable-next-line no-control-regex -- a name in a data directory may hold any character
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ').slice(0, NAME_MAX)
}
