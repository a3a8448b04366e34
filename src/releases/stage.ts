import { FlotillaError, isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { blobKey, type ObjectReader } from '../core/objects.ts'
import type { Op } from '../core/op.ts'
import { type Desired, RELEASE_LIMITS } from '../core/release.ts'
import type { FileTree, Manifest } from '../core/tree.ts'
import { forEachLimited } from '../lib/limited.ts'
import type { BlobStore } from './blobs.ts'
import { parseBundle } from './bundle.ts'
import { manifestTree, parseManifest } from './manifest.ts'

export interface StageOptions extends Op {
  readonly desired: Pick<Desired, 'manifest'>
  /** Where the blobs are gathered. */
  readonly blobs: BlobStore
  /** Hashes that are known to lie there: of the release in use, of which most is in the next one too. */
  readonly held?: ReadonlySet<string> | undefined
  /** Brings the manifest and contents in one answer, where somebody can; asked first. */
  readonly bundle?: ((manifest: string, op: Op) => Promise<Uint8Array>) | undefined
  /** Asked in this order for every blob that is missing. */
  readonly sources: readonly ObjectReader[]
  readonly log?: Logger | undefined
  /** Called when something arrived; `total` counts the files' contents, those that were there included. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

const PARALLEL = 8
/** A source that failed so many times in a row is not asked again during one staging. */
const FAILURES_MAX = 3

export interface Staged {
  readonly manifest: Manifest
  readonly tree: FileTree
  /** Resolves when every blob is durable; until then nothing may be done that counts on finding them after a crash. */
  readonly durable: () => Promise<void>
}

/**
 * Gathers every blob of a release on this node, each verified. What arrived stays, so a
 * second attempt goes on where the first ended. A source that does not answer, has not got a blob or sends other bytes
 * is passed over for it. Where none has a blob it rejects with the error of the last source that could not say so, for
 * that one may have it, and with `NOT_FOUND` when each of them has not; with `CORRUPT` when the manifest is none; and with
 * `DISK_FULL`.
 */
export async function stageRelease(options: StageOptions): Promise<Staged> {
  const { desired, blobs, held, onProgress, signal } = options
  const fetch = new Fetch(options)
  if (!(await blobs.has(desired.manifest, { signal }))) {
    await unpack(options)
    await fetch.one(desired.manifest, RELEASE_LIMITS.manifestBytes)
  }
  const manifest = parseManifest(await blobs.read(desired.manifest, { signal }))
  const sizes = new Map(manifest.files.map(({ sha256, size }) => [sha256, size]))
  const unknown = [...sizes.keys()].filter((hash) => held?.has(hash) !== true)
  const missing = await blobs.missing(unknown, { signal })
  let done = sizes.size - missing.length
  onProgress?.({ done, total: sizes.size })
  await forEachLimited(missing, PARALLEL, async (hash) => {
    await fetch.one(hash, sizes.get(hash) ?? 0)
    onProgress?.({ done: ++done, total: sizes.size })
  })
  return { manifest, tree: manifestTree(manifest, blobs), durable: async () => await blobs.sync({ signal }) }
}

/** Takes what a bundle brings. That there is none, or a bad one, is no trouble: what is missing then is fetched. */
async function unpack({ desired, bundle, blobs, signal, log }: StageOptions): Promise<void> {
  try {
    const bytes = await bundle?.(desired.manifest, { signal })
    if (bytes === undefined) return
    for (const blob of parseBundle(bytes)) {
      await blobs.put(blob.sha256, blob.bytes, { limitBytes: bytes.byteLength, deferred: true, signal })
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (!isError(error) || error.code === 'DISK_FULL') throw error
    log?.debug('a bundle could not be used', { code: error.code, error: error.message })
  }
}

class Fetch {
  readonly #options: StageOptions
  readonly #failures = new Map<ObjectReader, number>()

  constructor(options: StageOptions) {
    this.#options = options
  }

  /** Brings one blob from the first source that has it. */
  async one(hash: string, limitBytes: number): Promise<void> {
    const { blobs, sources, signal } = this.#options
    let last: FlotillaError | undefined
    for (const source of sources) {
      if ((this.#failures.get(source) ?? 0) >= FAILURES_MAX) {
        last = new FlotillaError('UNREACHABLE', `${source.name} failed too often to be asked for blob ${hash}`)
        continue
      }
      try {
        await blobs.put(hash, readFrom(source, hash, { signal }), { limitBytes, deferred: true, signal })
        this.#failures.delete(source)
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (!isError(error) || error.code === 'DISK_FULL') throw error
        if (last === undefined || error.code !== 'NOT_FOUND') last = error
        this.#note(source, error)
      }
    }
    throw last ?? new FlotillaError('UNREACHABLE', `there is no source to ask for blob ${hash}`)
  }

  #note(source: ObjectReader, error: FlotillaError): void {
    if (error.code === 'NOT_FOUND') return
    this.#failures.set(source, (this.#failures.get(source) ?? 0) + 1)
    const fields = { source: source.name, code: error.code, error: error.message }
    this.#options.log?.warn('a source did not give a blob', fields)
  }
}

/** Opens the source only when the first byte is asked for: a blob that has arrived meanwhile leaves nothing open. */
async function* readFrom(source: ObjectReader, hash: string, op: Op): AsyncGenerator<Uint8Array, void> {
  yield* await source.open(blobKey(hash), op)
}
