import type { Op } from '../core/op.ts'
import type { FileTree, TreeFile } from '../core/tree.ts'
import { forEachLimited } from '../lib/limited.ts'
import type { BlobStore } from './blobs.ts'
import { checkFailed } from './draft.ts'

/** Where contents are brought: a hub's client, or a `BlobStore` by `sinkOf`. */
export interface BlobSink {
  missing(hashes: readonly string[], op?: Op): Promise<readonly string[]>
  put(hash: string, bytes: Uint8Array, op?: Op): Promise<void>
}

export interface UploadOptions extends Op {
  /** Called after each blob that was brought. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

const PARALLEL = 8
/** Larger files go one by one, so that memory holds one of them at most. */
const LARGE_BYTES = 8 * 1024 * 1024
/** Hashes in one question. */
const ASKED_MAX = 10_000

/**
 * Brings the contents that `sink` lacks. Rejects with `CHECK_FAILED` when the tree has errors of its own (see
 * `FileTree.problems`) and with `SOURCE_VANISHED` when a file is no longer what was listed. What was brought stays, so
 * trying again goes on from there.
 */
export async function uploadMissing(
  sink: BlobSink,
  tree: FileTree,
  { onProgress, ...op }: UploadOptions = {},
): Promise<{ readonly uploaded: number }> {
  const errors = (tree.problems ?? []).filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw checkFailed(errors)
  const wanted = await missingFiles(sink, tree, op)
  let done = 0
  const bring = async ({ path, sha256 }: TreeFile): Promise<void> => {
    await sink.put(sha256, await tree.read(path, op), op)
    done++
    onProgress?.({ done, total: wanted.length })
  }
  await forEachLimited(
    wanted.filter((file) => !isLarge(file)),
    PARALLEL,
    bring,
  )
  await forEachLimited(wanted.filter(isLarge), 1, bring)
  return { uploaded: done }
}

function isLarge({ size }: TreeFile): boolean {
  return size > LARGE_BYTES
}

/** Many small blobs at once: durable together when `sync` has resolved. */
export function sinkOf(blobs: BlobStore): BlobSink {
  return {
    missing: async (hashes, op) => blobs.missing(hashes, op),
    put: async (hash, bytes, op) => blobs.put(hash, bytes, { ...op, limitBytes: bytes.byteLength, deferred: true }),
  }
}

/** One file for every content that is missing. */
async function missingFiles(sink: BlobSink, { files }: FileTree, op: Op): Promise<readonly TreeFile[]> {
  const byHash = new Map(files.map((file) => [file.sha256, file]))
  const hashes = [...byHash.keys()]
  const missing = new Set<string>()
  for (let start = 0; start < hashes.length; start += ASKED_MAX) {
    for (const hash of await sink.missing(hashes.slice(start, start + ASKED_MAX), op)) missing.add(hash)
  }
  return [...byHash.values()].filter(({ sha256 }) => missing.has(sha256))
}
