import { sha256 } from '../../../lib/hash.ts'
import { digestOf } from './digest.ts'
import { keyOf } from './ids.ts'
import type { CatalogEntry, ObjectKind } from './model.ts'
import { copyOf, hasDots, qualified } from './names.ts'
import { type ParsedFile, problemOf } from './parsed.ts'
import type { PortableContext, PortableFile, Refused } from './portable.ts'
import { byName, referenceIn } from './references.ts'
import { encryptedIn } from './secrets.ts'
import { tileLayerPath } from './tile-layer.ts'
import { childOf, type Element, made, textIn, writeXml } from './xml.ts'

/** What `dateCreated` and the like are: about the file, and another on each node. */
const ABOUT_THE_FILE = new Set(['id', 'updateSequence', 'dateCreated', 'dateModified', 'modifiedBy'])

/** An id that GeoServer made for something inside of an object, and that nothing refers to. */
const INNER_ID = /^(?:contact|\w*Impl-+[\da-f]+:[\da-f]+:-?[\da-f]+)$/

const SAID_MAX = 100
const DOTS =
  'the object, or what it belongs to, is called . or .., which leads elsewhere in an address; give it another name'

class Unresolved extends Error {
  readonly element: Element

  constructor(element: Element, said: string) {
    super(`<${element.name}> refers to ${said.slice(0, SAID_MAX)}, which is not there`)
    this.element = element
  }
}

/** Makes the portable form of the XML of one object or tile layer. */
export class ObjectFile {
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
    if (!isRootOf(this.#kind, path, root)) {
      return this.#refuse(root, 'XML_ROOT', `<${root.name}> is not what this file should hold`)
    }
    try {
      const content = this.#kind === 'tile-layer' ? this.#tileLayer() : this.#object()
      const key = keyOf(this.#kind, root, this.#context.ids)
      if (key !== undefined && hasDots(key)) return this.#refuse(root, 'NAME_ILLEGAL', DOTS)
      if (key !== undefined) return this.#made(copyOf(key), this.#context.overlay.without(path, content))
      return this.#refuse(root, 'NAME_MISSING', 'the object does not say its name, or what it belongs to')
    } catch (error) {
      if (error instanceof Unresolved) return this.#refuse(error.element, 'REFERENCE_MISSING', error.message)
      throw error
    }
  }

  #refuse(
    element: Element,
    code: 'XML_ROOT' | 'NAME_MISSING' | 'NAME_ILLEGAL' | 'REFERENCE_MISSING',
    message: string,
  ): Refused {
    const problem = problemOf(this.#file.path, { code, message, ...this.#file.xml?.placeOf(element) })
    // GeoWebCache leaves the file of a layer that is gone where it is, and makes nothing of it.
    const isLeftOver = this.#kind === 'tile-layer' && code === 'REFERENCE_MISSING'
    return { problem: isLeftOver ? { ...problem, severity: 'warning' } : problem }
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
    const reference = referenceIn(element, this.#context.ids)
    if (reference !== undefined) {
      if (reference.key === undefined) throw new Unresolved(element, reference.said)
      const key = reference.key
      this.#needs.add(key)
      return byName(element, key)
    }
    if (element.children.length === 0) return element
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

const NONE: readonly string[] = []
