import type { Problem } from '../../../core/problem.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { Place } from './classify.ts'
import { plainDigestOf } from './digest.ts'
import type { CatalogEntry, FileClass } from './model.ts'
import { ObjectFile } from './object-file.ts'
import type { Overlay } from './overlay.ts'
import { parseFile, type ParsedFile, problemOf } from './parsed.ts'
import { readProperties } from './properties.ts'
import type { Ids } from './references.ts'
import { encryptedIn } from './secrets.ts'
import type { XmlFault } from './xml.ts'

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
