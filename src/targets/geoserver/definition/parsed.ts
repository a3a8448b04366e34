import type { Problem } from '../../../core/problem.ts'
import { classify, type Place } from './classify.ts'
import { idOf, keyOf } from './ids.ts'
import { OBJECT_KINDS } from './model.ts'
import { copyOf } from './names.ts'
import { readXml, type XmlDocument, type XmlFault } from './xml.ts'

/** A file as its bytes say, whatever stands in others. */
export interface ParsedFile {
  readonly path: string
  readonly place: Place
  readonly bytes: Uint8Array
  /** Of those that are read as XML. */
  readonly xml?: XmlDocument | undefined
  /** Why it is none. */
  readonly fault?: XmlFault | undefined
}

/** Reads a file of a data directory or of a release. Depends on path and bytes alone, so it can be kept by them. */
export function parseFile(path: string, bytes: Uint8Array): ParsedFile {
  const place = classify(path)
  if (!isXmlPlace(place, path)) return { path, place, bytes }
  const read = readXml(bytes)
  return 'root' in read ? { path, place, bytes, xml: read } : { path, place, bytes, fault: read }
}

/** Files of other classes are carried as they are, whatever they are called. */
function isXmlPlace(place: Place, path: string): boolean {
  if (place.kind !== undefined) return true
  const configures = place.class === 'tile-config' || place.class === 'access' || place.class === 'security'
  return configures && /\.xml$/i.test(path)
}

/**
 * Ids of the objects of a directory, with their keys. Files have to be added in the order of `OBJECT_KINDS`, and groups of
 * layers before any of them is made portable, for groups hold groups.
 */
export class IdIndex {
  readonly #keys = new Map<string, string>()

  /** Key of the object with that id. */
  get ids(): ReadonlyMap<string, string> {
    return this.#keys
  }

  /**
   * Adds the object that a file defines. Answers its id, or undefined if it has none that others could refer to, or if
   * what it belongs to is not known. An id that was there becomes the new object's: the caller knows whether it moved.
   */
  add({ place, xml }: ParsedFile): string | undefined {
    // The id of a tile layer is that of its layer, and the default workspace is a copy.
    if (xml === undefined || place.class !== 'object' || place.kind === 'default-workspace') return undefined
    const id = idOf(place, xml.root)
    const key = id === undefined ? undefined : keyOf(place.kind, xml.root, this.#keys)
    if (id === undefined || key === undefined) return undefined
    const own = copyOf(id)
    this.#keys.set(own, copyOf(key))
    return own
  }

  delete(id: string): void {
    this.#keys.delete(id)
  }
}

/** For sorting files into the order in which `IdIndex.add` takes them: those that are no objects come last. */
export function inReadingOrder(a: { readonly place: Place }, b: { readonly place: Place }): number {
  return rankOf(a.place) - rankOf(b.place)
}

const RANKS = new Map(OBJECT_KINDS.map((kind, index) => [kind, index]))

function rankOf({ kind }: Place): number {
  return (kind === undefined ? undefined : RANKS.get(kind)) ?? OBJECT_KINDS.length
}

export function problemOf(path: string, fault: XmlFault): Problem {
  return { severity: 'error', file: path, ...fault, message: copyOf(fault.message) }
}
