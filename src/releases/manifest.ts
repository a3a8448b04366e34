import { FlotillaError, messageOf } from '../core/errors.ts'
import { isName } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { RELEASE_LIMITS } from '../core/release.ts'
import type { FileTree, Manifest, Tombstone, TreeFile } from '../core/tree.ts'
import { isSha256 } from '../lib/hash.ts'
import { safePath } from '../lib/safe-path.ts'
import type { BlobStore } from './blobs.ts'

/** The manifest as canonical JSON: keys and files sorted, no spaces. Equal manifests are equal bytes. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { kind, files, active, removed } = manifest
  return Buffer.from(
    JSON.stringify({
      active: sorted(active),
      files: files.map(({ path, sha256, size }) => ({ path, sha256, size })),
      format: 1,
      kind,
      removed: sorted(removed, ({ release, type }) => ({ release, type })),
    }),
  )
}

/** Throws `CORRUPT` unless `bytes` are what `encodeManifest` makes of a manifest within every limit. */
export function parseManifest(bytes: Uint8Array): Manifest {
  try {
    if (bytes.byteLength > RELEASE_LIMITS.manifestBytes) throw new Error('it is too large')
    const manifest = readManifest(JSON.parse(Buffer.from(bytes).toString('utf8')))
    // Whatever was not looked at above, such as a key that occurs twice, shows here.
    if (Buffer.compare(encodeManifest(manifest), bytes) !== 0) throw new Error('it is not in canonical form')
    return manifest
  } catch (error) {
    throw new FlotillaError('CORRUPT', `not a manifest of a release: ${messageOf(error)}`, { cause: error })
  }
}

/** The files of a manifest, read from `blobs` and verified: reading rejects with `NOT_FOUND` or `CORRUPT` as they do. */
export function manifestTree({ files }: Pick<Manifest, 'files'>, blobs: BlobStore): FileTree {
  const hashes = new Map(files.map(({ path, sha256 }) => [path, sha256]))
  return {
    files,
    read: async (path: string, op?: Op) => {
      const hash = hashes.get(path)
      if (hash === undefined) throw new FlotillaError('NOT_FOUND', `the release has no file ${JSON.stringify(path)}`)
      return blobs.read(hash, op)
    },
  }
}

/**
 * Throws `BAD_REQUEST` or `TOO_LARGE` unless these can be the files of a release: safe paths, sorted, each once, none a
 * folder of another, sizes and hashes well-formed, all within the limits.
 */
export function checkFiles(files: readonly TreeFile[]): void {
  if (files.length > RELEASE_LIMITS.files) throw tooLarge(`${files.length} files`, RELEASE_LIMITS.files)
  const folders = new Set<string>()
  let before = ''
  let bytes = 0
  for (const { path, size, sha256 } of files) {
    safePath(path)
    if (path <= before) throw bad(`${JSON.stringify(path)} is there twice, or not sorted`)
    if (!isSha256(sha256)) throw bad(`the hash of ${path} is none`)
    if (!Number.isSafeInteger(size) || size < 0) throw bad(`the size of ${path} is none`)
    if (size > RELEASE_LIMITS.fileBytes) throw tooLarge(`${path} with ${size} bytes`, RELEASE_LIMITS.fileBytes)
    bytes += size
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) folders.add(path.slice(0, end))
    before = path
  }
  if (bytes > RELEASE_LIMITS.totalBytes) throw tooLarge(`${bytes} bytes in all`, RELEASE_LIMITS.totalBytes)
  const both = files.find(({ path }) => folders.has(path))
  if (both !== undefined) throw bad(`${both.path} is a file and a folder`)
}

/** Ids come from definitions that were checked, but a manifest may come from elsewhere. `constructor` is an id like any other. */
function isItemId(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text !== '' && text.length <= 512 && !/[\u0000-\u001f\u007f-\u009f]/.test(text) && text !== '__proto__'
}

function readManifest(value: unknown): Manifest {
  const { kind, files, active, removed } = asRecord(value, 'it')
  if (typeof kind !== 'string' || !isName(kind)) throw new Error('its kind is none')
  if (!Array.isArray(files)) throw new Error('its files are no list')
  const read = files.map(readFile)
  checkFiles(read)
  return {
    format: 1,
    kind,
    files: read,
    active: readEntries(active, 'active', (entry) => {
      if (typeof entry !== 'boolean') throw new Error('active holds something else than true and false')
      return entry
    }),
    removed: readEntries(removed, 'removed', readTombstone),
  }
}

function readFile(value: unknown): TreeFile {
  const { path, size, sha256 } = asRecord(value, 'a file')
  if (typeof path !== 'string' || typeof size !== 'number' || typeof sha256 !== 'string') {
    throw new Error('a file lacks its path, size or hash')
  }
  return { path, size, sha256 }
}

function readTombstone(value: unknown): Tombstone {
  const { type, release } = asRecord(value, 'a removed item')
  if (typeof type !== 'string' || type.length > 512) throw new Error('a removed item has no type')
  if (!Number.isSafeInteger(release) || Number(release) < 1) throw new Error('a removed item has no release')
  return { type, release: Number(release) }
}

function readEntries<T>(value: unknown, name: string, read: (entry: unknown) => T): Readonly<Record<string, T>> {
  const entries = Object.entries(asRecord(value, name))
  if (entries.length > RELEASE_LIMITS.files) throw new Error(`${name} holds too much`)
  if (!entries.every(([id]) => isItemId(id))) throw new Error(`${name} holds an id that is none`)
  return Object.fromEntries(entries.map(([id, entry]) => [id, read(entry)]))
}

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object`)
  return value as Readonly<Record<string, unknown>>
}

function sorted<T>(record: Readonly<Record<string, T>>, form: (value: T) => unknown = (value) => value): unknown {
  const entries = Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([id, value]) => [id, form(value)]))
}

function bad(what: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', what)
}

function tooLarge(what: string, limit: number): FlotillaError {
  return new FlotillaError('TOO_LARGE', `a release of ${what}; at most ${limit}`)
}
