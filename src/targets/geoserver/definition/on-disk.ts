import { classify } from './classify.ts'
import { madeId } from './ids.ts'
import type { CatalogEntry, ObjectKind } from './model.ts'
import type { Overlay } from './overlay.ts'
import { byId, referenceIn } from './references.ts'
import { tileLayerPathOnDisk } from './tile-layer.ts'
import { childOf, type Element, made, readXml, textIn, writeXml } from './xml.ts'

/** What a node has of its own that a file which is placed there takes over. */
export interface LocalFiles {
  /** The id that the node's object of that key has; undefined where it has none. */
  readonly idOf: (key: string) => string | undefined
  readonly overlay: Overlay
  /** Bytes of the file as the node has it; undefined where it has none, or a malformed one. */
  readonly own?: Uint8Array | undefined
}

export interface FileOnDisk {
  readonly path: string
  readonly bytes: Uint8Array
}

/**
 * What a node's data directory holds for an entry of a release: ids in place of names. Objects that the node has keep their
 * ids; others get one that is made of their key. `bytes` are those of the release. `portable` of the answer is the entry.
 */
export function onDisk(entry: CatalogEntry, bytes: Uint8Array, local: LocalFiles): FileOnDisk {
  const { path } = entry
  const { kind } = classify(path)
  const read = kind === undefined ? undefined : readXml(bytes)
  if (kind === undefined || read === undefined || !('root' in read)) return { path, bytes }
  const idOf = (key: string): string => local.idOf(key) ?? madeId(key)
  if (kind === 'tile-layer') return tileLayer(read.root, idOf)
  const own = local.own === undefined ? undefined : readXml(local.own)
  const ids = withIds(read.root, idOf)
  const root = own !== undefined && 'root' in own ? local.overlay.with(path, ids, own.root) : ids
  return { path, bytes: Buffer.from(writeXml(withOwnId(kind, root, entry.key, idOf))) }
}

/** Portable bytes of an object with what the overlay leaves to the node, as in `own`: over REST they take the place of the whole. */
export function withOverlay(path: string, bytes: Uint8Array, own: Uint8Array, overlay: Overlay): Uint8Array {
  const [read, theirs] = [readXml(bytes), readXml(own)]
  if (!('root' in read) || !('root' in theirs)) return bytes
  const root = overlay.with(path, read.root, theirs.root)
  return root === read.root ? bytes : Buffer.from(writeXml(root))
}

function tileLayer(root: Element, idOf: (key: string) => string): FileOnDisk {
  const id = idOf(textIn(root, 'id'))
  const children = root.children.map((child) => (child.name === 'id' ? made('id', id) : child))
  const bytes = Buffer.from(writeXml(made(root.name, children, root.attributes)))
  return { path: tileLayerPathOnDisk(id), bytes }
}

const NO_IDS = new Map<string, string>()

function withIds(element: Element, idOf: (key: string) => string): Element {
  const children = element.children.map((child) => {
    const key = referenceIn(child, NO_IDS)?.key
    return key === undefined ? withIds(child, idOf) : byId(child, idOf(key))
  })
  return element.children.length === 0 ? element : made(element.name, children, element.attributes)
}

function withOwnId(kind: ObjectKind, root: Element, key: string, idOf: (key: string) => string): Element {
  if (kind === 'logging') return root
  // The default workspace is a copy of one.
  const owner = kind === 'default-workspace' ? `workspace/${textIn(root, 'name')}` : key
  const id = made('id', idOf(owner))
  if (kind !== 'global') return made(root.name, [id, ...root.children], root.attributes)
  const settings = childOf(root, 'settings')
  if (settings === undefined) return root
  const changed = made(settings.name, [id, ...settings.children], settings.attributes)
  return made(
    root.name,
    root.children.map((child) => (child === settings ? changed : child)),
    root.attributes,
  )
}
