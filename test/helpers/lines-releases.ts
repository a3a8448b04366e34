import { onTestFinished } from 'vitest'
import type { ReleaseAnswer, ReleaseRequest } from '../../src/core/api.ts'
import type { Store } from '../../src/core/store.ts'
import type { TreeFile } from '../../src/core/tree.ts'
import { sha256 } from '../../src/lib/hash.ts'
import type { BlobStore } from '../../src/releases/blobs.ts'
import { Releases } from '../../src/releases/releases.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { linesKind } from './lines-kind.ts'
import { MemoryBlobs } from './memory-blobs.ts'
import { VirtualClock } from './virtual-clock.ts'

export type Files = Readonly<Record<string, string>>

export interface LinesReleases {
  readonly clock: VirtualClock
  readonly store: Store
  readonly blobs: BlobStore
  readonly releases: Releases
  /** Uploads the files and releases them as the whole tree `t`. */
  readonly release: (files: Files, options?: Partial<ReleaseRequest>, author?: string) => Promise<ReleaseAnswer>
  readonly upload: (files: Files) => Promise<readonly TreeFile[]>
}

/** Releases of trees of kind `lines` over a store and blobs in memory. */
export function linesReleases(options: { readonly guardShare?: number } = {}): LinesReleases {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  onTestFinished(async () => store.close())
  const blobs = new MemoryBlobs(clock)
  const releases = new Releases({ store, blobs, kinds: [linesKind], clock, ...options })
  const upload = async (files: Files): Promise<readonly TreeFile[]> => uploadTo(blobs, files)
  return {
    clock,
    store,
    blobs,
    releases,
    upload,
    release: async (files, request = {}, author = 'anna') =>
      releases.release('t', { kind: 'lines', files: await upload(files), message: 'change', ...request }, author),
  }
}

export async function uploadTo(blobs: BlobStore, files: Files): Promise<readonly TreeFile[]> {
  const listed: TreeFile[] = []
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    const hash = sha256(bytes)
    await blobs.put(hash, bytes, { limitBytes: bytes.byteLength })
    listed.push({ path, size: bytes.byteLength, sha256: hash })
  }
  return listed
}
