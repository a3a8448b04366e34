import type { ReleaseAnswer } from '../core/api.ts'
import type { Op } from '../core/op.ts'
import type { FileTree, TreeFile } from '../core/tree.ts'
import { uploadMissing } from '../releases/upload.ts'
import type { CatalogTree } from '../targets/geoserver/local.ts'
import type { ReleaseHub } from './released.ts'

/** What is to become a release. */
export interface Draft {
  /** The release that it was compared with. */
  readonly base: number
  readonly files: readonly TreeFile[]
  /** Of these, those that the hub may not have; `tree` has their bytes. */
  readonly fresh: readonly TreeFile[]
  readonly tree: CatalogTree
  /** The file that says which GeoServer it comes from; without it that of the release before stays. */
  readonly versions: { readonly file: TreeFile; readonly bytes: Uint8Array } | undefined
  readonly message: string
  readonly confirmRemoval?: boolean
}

/**
 * Brings what the hub lacks, and makes the release. A change that its checks refuse is left out, as long as the rest passes.
 * Rejects as the hub does, and with `SOURCE_VANISHED` where a file changed once more.
 */
export async function sendRelease(hub: ReleaseHub, tree: string, draft: Draft, op: Op): Promise<ReleaseAnswer> {
  const { base, files, fresh, versions, message, confirmRemoval = false } = draft
  const contents: FileTree = {
    files: withFile(fresh, versions?.file),
    read: async (path, each) => (path === versions?.file.path ? versions.bytes : await draft.tree.read(path, each)),
  }
  const sink = {
    missing: async (hashes: readonly string[], each?: Op) => (await hub.missingBlobs(hashes, each)).missing,
    put: async (hash: string, bytes: Uint8Array, each?: Op) => await hub.putBlob(hash, bytes, each),
  }
  await uploadMissing(sink, contents, op)
  const all = withFile(files, versions?.file).map(({ path, size, sha256 }) => ({ path, size, sha256 }))
  const request = { kind: 'geoserver', files: all, message, base, quarantine: true, confirmRemoval }
  return await hub.release(tree, request, op)
}

function withFile(files: readonly TreeFile[], file: TreeFile | undefined): readonly TreeFile[] {
  if (file === undefined) return files
  return [...files.filter(({ path }) => path !== file.path), file].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}
