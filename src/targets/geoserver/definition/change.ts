import type { ItemChange } from '../../../core/tree.ts'
import { classify } from './classify.ts'
import { differences } from './compare.ts'
import { splitKey } from './names.ts'
import type { PortableFile } from './portable.ts'
import { restPayload } from './rest-payload.ts'
import { type Element, readXml } from './xml.ts'

/** Services whose settings REST can change. */
const SERVICES_OF_REST = new Set(['wms', 'wfs', 'wcs', 'wmts'])

/**
 * How an item differs between two releases; undefined if it means the same, and has the same passwords. `hard` is what only
 * a reload of the catalog brings into force, `soft` what is applied while GeoServer goes on serving.
 */
export function changeOf(before: PortableFile, after: PortableFile): ItemChange | undefined {
  const { key: id, path } = after.entry
  if (before.entry.digest === after.entry.digest && isSameList(before.entry.encrypted, after.entry.encrypted)) {
    return undefined
  }
  const effect = needsReload(before, after) ? 'hard' : 'soft'
  const kind = classify(path).kind
  const [was, now] = [readXml(before.bytes), readXml(after.bytes)]
  const details =
    kind !== undefined && 'root' in was && 'root' in now ? differences(kind, was.root, now.root) : ['content']
  return { id, effect, path, details: details.length === 0 ? ['content'] : details }
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

/** Whether a change of an item is applied by placing the file and reloading, as far as the release alone can tell. */
function needsReload(before: PortableFile, after: PortableFile): boolean {
  const { entry, bytes } = after
  if (entry.class === 'security') return true
  if (entry.class !== 'object') return false
  const { kind, name } = splitKey(entry.key)
  if (kind === 'service') {
    const service = name.slice(name.indexOf(':') + 1)
    if (!SERVICES_OF_REST.has(service)) return true
  }
  if (kind.endsWith('store') && hasPlaceholder(bytes)) return true
  return restPayload(entry, bytes, before.bytes, OLDEST).left.length > 0
}

/** Which one each node runs is not known here. */
const OLDEST = '2'

/** Sent over REST, GeoServer would take `${name}` for the password itself, and encrypt it. */
function hasPlaceholder(bytes: Uint8Array): boolean {
  const read = readXml(bytes)
  return 'root' in read && says(read.root, '${')
}

function says({ text, children }: Element, part: string): boolean {
  return text.includes(part) || children.some((child) => says(child, part))
}
