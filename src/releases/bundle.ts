import { FlotillaError } from '../core/errors.ts'
import { isSha256 } from '../lib/hash.ts'
import type { BlobStore } from './blobs.ts'
import { parseManifest } from './manifest.ts'

/*
 * What a release brings that the one before did not, in one answer: its manifest and the contents that are new, each as
 * `SHA256 SIZE\n` and its bytes. After a release every node needs the same few small blobs at the same time.
 * It is only a quicker way: what it leaves out is fetched blob by blob.
 */

/** In bytes. Larger blobs are left out, and those for which no room is left. */
export const BUNDLE_LIMITS = { blob: 256 * 1024, whole: 8 * 1024 * 1024 } as const

export interface Bundled {
  readonly sha256: string
  readonly bytes: Uint8Array
}

/** Answers bundles, and keeps the last few: the nodes of a cluster mostly ask for the same. */
export class Bundles {
  static readonly KEPT_MAX = 4
  readonly #blobs: BlobStore
  /** Least recently asked for first. */
  readonly #kept = new Map<string, Promise<Uint8Array>>()

  constructor(blobs: BlobStore) {
    this.#blobs = blobs
  }

  /**
   * The bundle of one manifest. `base` is one whose contents the asker has; one that is not held here counts as empty.
   * Rejects with `NOT_FOUND` or `CORRUPT` where `manifest` is no manifest that is held.
   */
  async get(manifest: string, base?: string): Promise<Uint8Array> {
    const key = `${manifest} ${base ?? ''}`
    const bundle = this.#kept.get(key) ?? bundleOf(this.#blobs, manifest, base)
    this.#kept.delete(key)
    this.#kept.set(key, bundle)
    for (const oldest of this.#kept.keys()) if (this.#kept.size > Bundles.KEPT_MAX) this.#kept.delete(oldest)
    try {
      return await bundle
    } catch (error) {
      this.#kept.delete(key)
      throw error
    }
  }
}

async function bundleOf(blobs: BlobStore, manifest: string, base: string | undefined): Promise<Uint8Array> {
  const bytes = await blobs.read(manifest)
  const { files } = parseManifest(bytes)
  const known = await contentsOf(blobs, base)
  const frames: Uint8Array[] = [...frame(manifest, bytes)]
  let left = BUNDLE_LIMITS.whole - bytes.byteLength
  for (const [sha256, size] of new Map(files.map((file) => [file.sha256, file.size]))) {
    if (known.has(sha256) || size > BUNDLE_LIMITS.blob || size > left) continue
    left -= size
    frames.push(...frame(sha256, await blobs.read(sha256)))
  }
  return Buffer.concat(frames)
}

async function contentsOf(blobs: BlobStore, manifest: string | undefined): Promise<ReadonlySet<string>> {
  if (manifest === undefined || !(await blobs.has(manifest))) return new Set()
  return new Set(parseManifest(await blobs.read(manifest)).files.map(({ sha256 }) => sha256))
}

function frame(sha256: string, bytes: Uint8Array): readonly Uint8Array[] {
  return [Buffer.from(`${sha256} ${bytes.byteLength}\n`), bytes]
}

const HEAD_MAX = 80

/** Takes a bundle apart. The bytes are not verified. Throws `CORRUPT` for anything else, after what could be read. */
export function* parseBundle(bundle: Uint8Array): Generator<Bundled, void> {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength)
  for (let at = 0; at < bytes.byteLength;) {
    const end = bytes.subarray(at, at + HEAD_MAX).indexOf(0x0a)
    const [sha256 = '', size = ''] = bytes.toString('latin1', at, at + Math.max(end, 0)).split(' ')
    const start = at + end + 1
    at = start + Number(size)
    if (end < 0 || !isSha256(sha256) || !/^\d{1,12}$/.test(size) || at > bytes.byteLength) {
      throw new FlotillaError('CORRUPT', 'the bundle of a release cannot be read')
    }
    yield { sha256, bytes: bytes.subarray(start, at) }
  }
}
