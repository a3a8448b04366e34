import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { sha256 } from '../lib/hash.ts'
import type { TreeFile } from '../core/tree.ts'
import { VERSIONS_FILE } from '../targets/geoserver/definition/classify.ts'
import type { CatalogNode } from '../targets/geoserver/local.ts'

/** The modules of a running GeoServer do not change; what was updated was started anew. */
const ASK_AGAIN_MS = 300_000

/** The file of a release that says which GeoServer its contents come from. */
export class VersionsFile {
  readonly #catalog: Pick<CatalogNode, 'about'>
  readonly #clock: Clock
  #bytes: Uint8Array | undefined
  #askedMs = 0

  constructor(catalog: Pick<CatalogNode, 'about'>, clock: Clock) {
    this.#catalog = catalog
    this.#clock = clock
  }

  /** Undefined where GeoServer has not said it yet, and does not now. */
  async get(op: Op = {}): Promise<{ readonly file: TreeFile; readonly bytes: Uint8Array } | undefined> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#bytes === undefined || nowMs - this.#askedMs > ASK_AGAIN_MS) {
      try {
        const { geoserver, modules } = await this.#catalog.about(op)
        this.#bytes = Buffer.from(`${JSON.stringify({ geoserver, modules })}\n`)
        this.#askedMs = nowMs
      } catch (error) {
        if (!isError(error)) throw error
      }
    }
    const bytes = this.#bytes
    return bytes && { file: { path: VERSIONS_FILE, size: bytes.byteLength, sha256: sha256(bytes) }, bytes }
  }
}
