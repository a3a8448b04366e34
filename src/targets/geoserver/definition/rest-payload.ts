import { classify } from './classify.ts'
import { defaultOf, isDefault, STRUCTURES } from './defaults.ts'
import type { CatalogEntry, ObjectKind } from './model.ts'
import { type Element, made, readXml, writeXml } from './xml.ts'

export interface RestPayload {
  /** `application/xml`, for POST and PUT alike. */
  readonly body: string
  /** Fields that the node has, the release has not, and REST cannot take away: only a reload of the file does. */
  readonly left: readonly string[]
}

/** From this version on, `xsi:nil` takes a field away. */
const NIL_SINCE = 3
const XSI = 'http://www.w3.org/2001/XMLSchema-instance'

/**
 * What to send to GeoServer's REST for an object or tile layer of a release. PUT merges: what is not sent stays as it is.
 * So a field that only `previous` has, the portable bytes of what the node has now, is sent with the value that it has where
 * it is not there, or as nothing. `version` is GeoServer's, such as `2.26.2`. Throws for an entry of another class.
 */
export function restPayload(
  entry: CatalogEntry,
  bytes: Uint8Array,
  previous: Uint8Array | undefined,
  version: string,
): RestPayload {
  const { kind } = classify(entry.path)
  const now = rootOf(bytes)
  if (kind === undefined || now === undefined) throw new Error(`${entry.path} is no object that REST knows`)
  // GeoWebCache replaces a tile layer as a whole, and finds its layer by name.
  if (kind === 'tile-layer') return { body: writeXml(tileLayer(now)), left: [] }
  const before = previous === undefined ? undefined : rootOf(previous)
  if (before === undefined) return { body: writeXml(now), left: [] }
  const merge = new Merge(kind, Number.parseInt(version, 10) >= NIL_SINCE)
  const root = merge.withEmptied(now, before, '')
  return { body: writeXml(merge.hasNil ? withXsi(root) : root), left: merge.left }
}

function rootOf(bytes: Uint8Array): Element | undefined {
  const read = readXml(bytes)
  return 'root' in read ? read.root : undefined
}

function tileLayer({ children }: Element): Element {
  const others = children.filter(({ name }) => name !== 'id')
  return made('GeoServerLayer', others)
}

function withXsi({ name, children, attributes }: Element): Element {
  return made(name, children, { ...attributes, 'xmlns:xsi': XSI })
}

class Merge {
  readonly left: string[] = []
  hasNil = false
  readonly #kind: ObjectKind
  readonly #takesNil: boolean

  constructor(kind: ObjectKind, takesNil: boolean) {
    this.#kind = kind
    this.#takesNil = takesNil
  }

  /** `path` leads to the elements, '' for the roots. */
  withEmptied(now: Element, before: Element, path: string): Element {
    const children = now.children.map((child) => {
      const was = STRUCTURES.has(path + child.name)
        ? before.children.find(({ name }) => name === child.name)
        : undefined
      return was === undefined ? child : this.withEmptied(child, was, `${path}${child.name}/`)
    })
    const there = new Set(now.children.map(({ name }) => name))
    for (const gone of before.children) {
      if (there.has(gone.name) || isDefault(this.#kind, path, gone)) continue
      there.add(gone.name)
      const emptied = this.#emptied(gone, path)
      if (emptied === undefined) this.left.push(path + gone.name)
      else children.push(emptied)
    }
    return made(now.name, children, now.attributes)
  }

  #emptied(gone: Element, path: string): Element | undefined {
    const { name, children, text } = gone
    const defaults = children.map((child) => defaultOf(this.#kind, `${path}${name}/${child.name}`))
    if (STRUCTURES.has(path + name) && defaults.every((one) => one !== undefined)) {
      return made(
        name,
        children.map((child, index) => made(child.name, defaults[index] ?? '')),
      )
    }
    const value = defaultOf(this.#kind, path + name)
    if (value !== undefined) return made(name, value)
    if (this.#takesNil) {
      this.hasNil = true
      return made(name, '', { 'xsi:nil': 'true' })
    }
    // No text is no number and no flag: GeoServer would answer 500.
    const isText = children.length === 0 && !/^(?:true|false|-?\d[\d.]*(?:E-?\d+)?)$/i.test(text)
    return isText || isCollection(gone) ? made(name, '') : undefined
  }
}

/** A list or map becomes an empty one; any other structure without its elements would be an object of its own. */
function isCollection({ children }: Element): boolean {
  const [first] = children
  return first !== undefined && children.every(({ name }) => name === first.name)
}
