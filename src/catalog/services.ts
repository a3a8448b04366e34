import type { Memory } from '../agent/memory.ts'
import type { CatalogClient } from '../client/catalog-client.ts'
import type { Role } from '../core/catalog/three-way.ts'
import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import type { CatalogNode } from '../targets/geoserver/local.ts'
import { KeystoreCompare } from './keystore-compare.ts'
import { Orders } from './orders.ts'
import { Proposer } from './proposer.ts'
import { ProposerMemory } from './proposer-memory.ts'
import type { ReleaseHub } from './released.ts'
import { Telling } from './telling.ts'

export interface CatalogOptions {
  readonly tree: string
  readonly node: string
  readonly role: Role
  /** Whether changes of that path belong into releases without anybody's word. */
  readonly adopts: (path: string) => boolean
  readonly catalog: CatalogNode
  readonly dataDirectory: string
  readonly hub: ReleaseHub
  readonly versions: Pick<CatalogClient, 'bring'>
  readonly store: Store
  readonly memory: Memory
  /** The contents of a release by hash. */
  readonly read: (sha256: string, op: Op) => Promise<Uint8Array>
  /** Has the target look now. */
  readonly look: () => void
  /** Says something of this node to the cluster. */
  readonly tell: (key: string, value: { readonly atMs: number }) => void
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
}

/** Everything that an agent does about a catalog besides bringing it in step. */
export function catalogServices(options: CatalogOptions): readonly Service[] {
  const { tree, node, role, store, memory, versions } = options
  const proposer = new Proposer({
    ...options,
    isSource: role !== 'replica',
    memory: new ProposerMemory(memory, tree),
    isReleased: async (op) => (await store.get(keys.desired(tree), op)) !== undefined,
    onStatus: () => telling.changed(),
  })
  const orders = new Orders({
    ...options,
    confirm: (adopted) => proposer.confirm(adopted),
    bring: async (sha256, bytes, op) => await versions.bring({ tree, node, sha256 }, bytes, op),
    onOutcome: () => telling.changed(),
  })
  const telling: Telling = new Telling({
    ...options,
    keystore: new KeystoreCompare(options),
    proposal: () => proposer.status,
    outcomes: () => orders.outcomes,
  })
  return [proposer, orders, telling]
}
