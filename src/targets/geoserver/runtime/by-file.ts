import type { Op } from '../../../core/op.ts'
import type { FileTree } from '../../../core/tree.ts'
import type { Catalog } from '../definition/model.ts'

const STORE = /^(?:datastore|coveragestore|wmsstore|wmtsstore)\//

/**
 * Finds the stores that name parameters of the node. facts: `${…}` is replaced by GeoServer as it reads the file; in a password that comes
 * over REST it is encrypted as it stands.
 */
export class ParameterStores {
  /** By SHA-256 of the file. */
  #known: ReadonlyMap<string, boolean> = new Map()

  /** Their keys. */
  async in(catalog: Catalog, tree: FileTree, op: Op): Promise<ReadonlySet<string>> {
    const keys = new Set<string>()
    const now = new Map<string, boolean>()
    for (const { key, path, sha256 } of catalog.entries.values()) {
      if (!STORE.test(key)) continue
      const has = this.#known.get(sha256) ?? Buffer.from(await tree.read(path, op)).includes('${')
      now.set(sha256, has)
      if (has) keys.add(key)
    }
    this.#known = now
    return keys
  }
}
