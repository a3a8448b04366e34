import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import { Bell } from '../../../lib/bell.ts'
import type { DataDirectory } from '../directory/data-directory.ts'
import type { CatalogLook, CatalogNode, CatalogTree, Kept, Verdict } from '../local.ts'
import { modulesOf, versionOf } from '../rest/about.ts'
import type { GeoServerClient } from '../rest/client.ts'
import type { KeptVersions } from './kept.ts'
import type { Decided, NodeState } from './node-state.ts'
import { withOffered } from './offered.ts'

export interface OwnCatalogParts {
  readonly client: GeoServerClient
  readonly directory: DataDirectory
  readonly kept: KeptVersions
  readonly state: () => Promise<NodeState>
  /** Changes the state as it is at that moment; durable when it resolves. */
  readonly change: (how: (state: NodeState) => NodeState) => Promise<void>
}

/** What the target saw, for whoever proposes releases, and what people decide. */
export class OwnCatalog implements CatalogNode {
  readonly #parts: OwnCatalogParts
  readonly #bell = new Bell()
  #look: CatalogLook | undefined
  #count = 0

  constructor(parts: OwnCatalogParts) {
    this.#parts = parts
  }

  /** To be told of every look of the target. */
  seen(next: CatalogLook): void {
    const isSame = this.#look !== undefined && isSameLook(this.#look, next)
    this.#look = next
    if (isSame) return
    this.#count += 1
    this.#bell.ring()
  }

  look(): CatalogLook | undefined {
    return this.#look
  }

  async *looks(signal: AbortSignal): AsyncGenerator<CatalogLook, void> {
    for (let told = 0; !signal.aborted;) {
      if (told === this.#count) await this.#bell.rung({ signal }).catch(() => undefined)
      if (signal.aborted) return
      told = this.#count
      if (this.#look !== undefined) yield this.#look
    }
  }

  async scan(op: Op = {}): Promise<CatalogTree> {
    return await this.#parts.directory.scan(op)
  }

  async about(op: Op = {}): Promise<{ readonly geoserver: string; readonly modules: readonly string[] }> {
    const { client } = this.#parts
    return { geoserver: await versionOf(client, op), modules: await modulesOf(client, op) }
  }

  async decide(keys: readonly string[], verdict: Verdict): Promise<void> {
    const differences = new Map(this.#look?.differences.map((each) => [each.key, each]))
    const decided = keys.map((key): [string, Decided] => {
      const difference = differences.get(key)
      if (difference === undefined) {
        throw new FlotillaError('NOT_FOUND', `node and release do not differ in ${JSON.stringify(key.slice(0, 200))}`, {
          hint: '`flotilla catalog diff` lists what differs.',
        })
      }
      const { local, desired } = difference
      return [key, { verdict, local: local?.digest ?? '', desired: desired?.digest ?? '' }]
    })
    await this.#parts.change((state) => ({ ...state, verdicts: new Map([...state.verdicts, ...decided]) }))
  }

  async offered(versions: ReadonlyMap<string, string | undefined>): Promise<void> {
    await this.#parts.change((state) => ({ ...state, offered: withOffered(state.offered, versions) }))
  }

  async takeOver(): Promise<void> {
    await this.#parts.change((state) => ({ ...state, found: new Set() }))
  }

  async confirmRemoval(op: Op = {}): Promise<readonly string[]> {
    const { directory, state, change } = this.#parts
    const { entries } = (await directory.scan(op)).catalog
    const gone = [...(await state()).base.keys()].filter((key) => !entries.has(key))
    if (gone.length === 0) throw new FlotillaError('NOT_FOUND', 'nothing of what was released is gone here')
    await change((now) => ({ ...now, removed: new Set(gone) }))
    return gone
  }

  async kept(): Promise<readonly Kept[]> {
    return (await this.#parts.state()).kept
  }

  async readKept(sha256: string): Promise<Uint8Array> {
    return await this.#parts.kept.read(sha256)
  }
}

function isSameLook(a: CatalogLook, b: CatalogLook): boolean {
  if (a.release !== b.release || a.differences.length !== b.differences.length) return false
  if (a.tree !== b.tree && passwordsIn(a.tree) !== passwordsIn(b.tree)) return false
  return a.differences.every((one, index) => {
    const other = b.differences[index]
    const isSame = one.key === other?.key && one.decision.do === other.decision.do
    return isSame && one.local?.sha256 === other.local?.sha256 && one.desired?.sha256 === other.desired?.sha256
  })
}

/** Encrypted values are in no digest: a password that is changed alone differs in nothing else. */
function passwordsIn({ catalog }: CatalogTree): string {
  const entries = [...catalog.entries.values()].filter(({ encrypted }) => encrypted.length > 0)
  return JSON.stringify(entries.map(({ key, encrypted }) => [key, encrypted]))
}
