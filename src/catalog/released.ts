import type { HubClient } from '../client/hub-client.ts'
import type { Op } from '../core/op.ts'
import { RELEASE_LIMITS } from '../core/release.ts'
import type { TreeFile } from '../core/tree.ts'
import { readBody } from '../lib/http.ts'
import { parseManifest } from '../releases/manifest.ts'

/** What making releases takes of a hub. */
export type ReleaseHub = Pick<HubClient, 'release' | 'releaseRecord' | 'missingBlobs' | 'putBlob' | 'openBlob'>

/** The files of releases; those of the last one that was asked for are kept. */
export class ReleasedFiles {
  readonly #tree: string
  readonly #hub: ReleaseHub
  #last: { readonly number: number; readonly files: readonly TreeFile[] } | undefined

  constructor(tree: string, hub: ReleaseHub) {
    this.#tree = tree
    this.#hub = hub
  }

  /** Of release 0, which is the empty tree, none. Rejects as the hub does, and with `CORRUPT`. */
  async of(number: number, op: Op = {}): Promise<readonly TreeFile[]> {
    if (number === 0) return []
    if (this.#last?.number === number) return this.#last.files
    const { manifest } = await this.#hub.releaseRecord(this.#tree, number, op)
    const { files } = parseManifest(
      await readBody(await this.#hub.openBlob(manifest, op), RELEASE_LIMITS.manifestBytes),
    )
    this.#last = { number, files }
    return files
  }
}
