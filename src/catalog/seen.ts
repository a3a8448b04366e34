import { sha256 } from '../lib/hash.ts'
import type { CatalogEntry } from '../targets/geoserver/definition/model.ts'
import type { CatalogLook } from '../targets/geoserver/local.ts'
import type { Proposed } from './next-release.ts'

/** What stood in an object the last time that node and release agreed on the rest of it. */
interface Seen {
  /** SHA-256 of the release's file. */
  readonly release: string
  /** Of its encrypted values on the node. */
  readonly local: string
}

/**
 * Encrypted values that were seen on this node, by key. Another encryption may be another password, or the same one saved again: both
 * look the same. So each that appears while the release stayed as it is becomes a release, once; one that appears after the release
 * changed is what bringing it here left.
 */
export class SeenPasswords {
  readonly #seen: Map<string, Seen>
  #isChanged = false

  constructor(text?: string) {
    this.#seen = new Map(text === undefined ? [] : (JSON.parse(text) as [string, Seen][]))
  }

  /** Whether there is something to save since the last `toText`. */
  get isChanged(): boolean {
    return this.#isChanged
  }

  toText(): string {
    this.#isChanged = false
    return JSON.stringify([...this.#seen])
  }

  /** Objects of which nothing but an encrypted value is another one. `released`: SHA-256 by path. */
  changed({ tree, differences }: CatalogLook, released: ReadonlyMap<string, string>): readonly Proposed[] {
    const differing = new Set(differences.map(({ key }) => key))
    const found: Proposed[] = []
    for (const entry of tree.catalog.entries.values()) {
      if (entry.encrypted.length === 0 || differing.has(entry.key)) continue
      const local = versionOf(entry)
      const release = released.get(entry.path) ?? ''
      const before = this.#seen.get(entry.key)
      if (before?.release === release && before.local !== local) {
        found.push({ key: entry.key, local: entry, before: entry.path, version: local })
      } else if (before === undefined || before.release !== release) this.#set(entry.key, { release, local })
    }
    return found
  }

  /** They are in a release now. */
  released(proposed: readonly Proposed[]): void {
    for (const { key, local } of proposed) {
      if (local === undefined || local.encrypted.length === 0) continue
      this.#set(key, { release: local.sha256, local: versionOf(local) })
    }
  }

  #set(key: string, seen: Seen): void {
    this.#seen.set(key, seen)
    this.#isChanged = true
  }
}

function versionOf({ encrypted }: CatalogEntry): string {
  return `encrypted ${sha256(encrypted.join(' '))}`
}
