import type { Problem } from '../../../core/problem.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { Place } from './classify.ts'
import { digestOf, plainDigestOf } from './digest.ts'
import { keyOf } from './ids.ts'
import type { CatalogEntry, FileClass, ObjectKind } from './model.ts'
import { qualified } from './names.ts'
import type { Overlay } from './overlay.ts'
import { copyOf, parseFile, type ParsedFile, problemOf } from './parsed.ts'
import { readProperties } from './properties.ts'
import { byName, type Ids, referenceIn } from './references.ts'
import { encryptedIn } from './secrets.ts'
import { tileLayerPath } from './tile-layer.ts'
import { childOf, type Element, made, textIn, writeXml, type XmlFault } from './xml.ts'

/** What an entry is, and what a release holds of it. */
export interface PortableFile {
  readonly entry: CatalogEntry
  readonly bytes: Uint8Array
}

export interface PortableContext {
  /** Of the whole directory; none for a file in its portable form. */
  readonly ids: Ids
  readonly overlay: Overlay
}

/** A file that cannot be part of a catalog as it is. */
export interface Refused {
  readonly problem: Problem
}

/**
 * The portable form of a file of a data directory. A file that is in it already stays as it is. Must not be called with a
 * path that is left out.
 */
export function portable(file: ParsedFile, context: PortableContext): PortableFile | Refused {
  const { path, place, bytes, xml, fault } = file
  if (place.leftOut !== undefined) return refused(path, { code: 'PATH_REFUSED', message: WHY_NOT[place.leftOut] })
  if (fault !== undefined) return refused(path, fault)
  if (place.kind !== undefined && xml !== undefined)
    return new ObjectFile(file, place.kind, xml.root, context).portable()
  if (xml !== undefined) {
    return withBytes(path, place.class, bytes, plainDigestOf(xml.root), encryptedIn(xml.root))
  }
  if (!/\.properties$/i.test(path)) return withBytes(path, place.class, bytes, undefined, NONE)
  const { portable: kept, meaning } = readProperties(bytes)
  return withBytes(path, place.class, kept, sha256(meaning), NONE)
}

/** A file of a release. */
export function readPortable(path: string, bytes: Uint8Array, overlay: Overlay): PortableFile | Refused {
  return portable(parseFile(path, bytes), { ids: NO_IDS, overlay })
}

const NO_IDS: Ids = new Map()

/** Entry of a file that nobody has to read: its bytes are its meaning. */
export function plainEntry(path: string, fileClass: FileClass, size: number, hash: string): CatalogEntry {
  return {
    path,
    class: fileClass,
    key: `file/${path}`,
    size,
    sha256: hash,
    digest: hash,
    encrypted: NONE,
    needs: NONE,
    data: NONE,
  }
}

/** Whether `plainEntry` is what `portable` would say, so that the file's hash is enough. */
export function isPlain(place: Place, path: string): boolean {
  if (place.class === undefined || place.kind !== undefined || /\.properties$/i.test(path)) return false
  const configures = place.class === 'tile-config' || place.class === 'access' || place.class === 'security'
  return !configures || !/\.xml$/i.test(path)
}

const NONE: readonly string[] = []

const WHY_NOT: Readonly<Record<NonNullable<Place['leftOut']>, string>> = {
  secret: 'a release never holds keystores or master passwords',
  data: 'data is no part of a catalog; it is distributed as files',
  'node-local': 'this file belongs to one node',
  temporary: 'this is a temporary file',
  unsafe: 'this path cannot be carried to every node',
}

function refused(path: string, fault: XmlFault): Refused {
  return { problem: problemOf(path, fault) }
}

function withBytes(
  path: string,
  fileClass: FileClass,
  bytes: Uint8Array,
  digest: string | undefined,
  encrypted: readonly string[],
): PortableFile {
  const entry = plainEntry(path, fileClass, bytes.byteLength, sha256(bytes))
  return { entry: digest === undefined ? entry : { ...entry, digest, encrypted }, bytes }
}

/** What `dateCreated` and the like are: about the file, and another on each node. */
const ABOUT_THE_FILE = new Set(['id', 'updateSequence', 'dateCreated', 'dateModified', 'modifiedBy'])

/** An id that GeoServer made for something inside of an object, and that nothing refers to. */
const INNER_ID = /^(?:contact|\w*Impl-+[\da-f]+:[\da-f]+:-?[\da-f]+)$/

class Unresolved extends Error {
  readonly element: Element
  readonly said: string

  constructor(element: Element, said: string) {
    super(`<${element.name}> refers to ${said}, which is not there`)
    this.element = element
    this.said = said
  }
}

class ObjectFile {
  readonly #file: ParsedFile
  readonly #kind: ObjectKind
  readonly #root: Element
  readonly #context: PortableContext
  readonly #needs = new Set<string>()

  constructor(file: ParsedFile, kind: ObjectKind, root: Element, context: PortableContext) {
    this.#file = file
    this.#kind = kind
    this.#root = root
    this.#context = context
  }

  portable(): PortableFile | Refused {
    const root = this.#root
    const { path } = this.#file
    if (!isRootOf(this.#kind, path, root))
      return this.#refuse(root, 'XML_ROOT', `<${root.name}> is not what this file should hold`)
    try {
      const content = this.#kind === 'tile-layer' ? this.#tileLayer() : this.#object()
      const key = keyOf(this.#kind, root, this.#context.ids)
      if (key === undefined)
        return this.#refuse(root, 'ID_MISSING', 'the object does not say its name, or what it belongs to')
      return this.#made(copyOf(key), this.#context.overlay.without(path, content))
    } catch (error) {
      if (error instanceof Unresolved) return this.#refuse(error.element, 'REFERENCE_MISSING', error.message)
      throw error
    }
  }

  #refuse(element: Element, code: 'XML_ROOT' | 'ID_MISSING' | 'REFERENCE_MISSING', message: string): Refused {
    return refused(this.#file.path, { code, message, ...this.#file.xml?.placeOf(element) })
  }

  #made(key: string, root: Element): PortableFile {
    const bytes = Buffer.from(writeXml(root))
    const entry: CatalogEntry = {
      path: this.#kind === 'tile-layer' ? tileLayerPath(key) : this.#file.path,
      class: this.#kind === 'tile-layer' ? 'tile-layer' : 'object',
      key,
      size: bytes.byteLength,
      sha256: sha256(bytes),
      digest: digestOf(this.#kind, root),
      encrypted: encryptedIn(root),
      needs: this.#needs.size === 0 ? NONE : [...this.#needs],
      data: dataOf(root),
    }
    return { entry, bytes }
  }

  #object(): Element {
    if (this.#kind === 'default-workspace') return this.#defaultWorkspace()
    const children: Element[] = []
    for (const child of this.#root.children) {
      if (!ABOUT_THE_FILE.has(child.name)) children.push(this.#converted(child))
    }
    if (this.#kind === 'namespace')
      this.#needs.add(`workspace/${qualified(undefined, copyOf(textIn(this.#root, 'prefix')))}`)
    const body = this.#kind === 'style' ? textIn(this.#root, 'filename') : ''
    if (body !== '')
      this.#needs.add(`file/${this.#file.path.slice(0, this.#file.path.lastIndexOf('/') + 1)}${copyOf(body)}`)
    return made(this.#root.name, children, this.#root.attributes)
  }

  /** On disk it is a copy of the workspace as it once was. */
  #defaultWorkspace(): Element {
    const root = this.#root
    const name = textIn(root, 'name')
    const key = this.#context.ids.get(textIn(root, 'id')) ?? `workspace/${qualified(undefined, copyOf(name))}`
    this.#needs.add(key)
    return byName(made(root.name, ''), key)
  }

  /** Its id is that of the layer or group. */
  #tileLayer(): Element {
    const root = this.#root
    const id = textIn(root, 'id')
    const key = /^(?:layer|layergroup)\//.test(id) ? copyOf(id) : this.#context.ids.get(id)
    if (key === undefined) throw new Unresolved(root, id === '' ? 'no layer' : id)
    this.#needs.add(key)
    const children = root.children.map((child) => (child.name === 'id' ? made('id', key) : child))
    return made(root.name, children, root.attributes)
  }

  #converted(element: Element): Element {
    if (element.children.length === 0) return element
    const reference = referenceIn(element, this.#context.ids)
    if (reference !== undefined) {
      if (reference.key === undefined) throw new Unresolved(element, reference.said)
      const key = reference.key
      this.#needs.add(key)
      return byName(element, key)
    }
    let changed: Element[] | undefined
    for (const [index, child] of element.children.entries()) {
      const converted = child.name === 'id' && INNER_ID.test(child.text) ? undefined : this.#converted(child)
      if (converted !== child) changed ??= element.children.slice(0, index)
      if (converted !== undefined) changed?.push(converted)
    }
    return changed === undefined ? element : made(element.name, changed, element.attributes)
  }
}

/** Services are called like their file; every other root is the kind in GeoServer's spelling. */
function isRootOf(kind: ObjectKind, path: string, { name }: Element): boolean {
  if (kind === 'tile-layer') return name === 'GeoServerTileLayer'
  if (kind === 'workspace-settings') return name === 'settings'
  if (kind === 'default-workspace') return name === 'workspace'
  if (kind === 'service') return path.endsWith(`/${name}.xml`) || path === `${name}.xml`
  return name.toLowerCase() === kind
}

/** Places of data: parameters of a connection, and the address of a store of coverages, that are files. */
function dataOf(root: Element): readonly string[] {
  const url = textIn(root, 'url')
  const parameters = childOf(root, 'connectionParameters')?.children ?? []
  const said = [url, ...parameters.map(({ text }) => text.trim())]
  const files = said.filter((text) => text.startsWith('file:'))
  return files.length === 0 ? NONE : files.map(copyOf)
}
