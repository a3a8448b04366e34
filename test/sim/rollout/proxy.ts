import { isError } from '../../../src/core/errors.ts'
import { keys, parseNodeKey } from '../../../src/core/keys.ts'
import { isUnderWay } from '../../../src/core/rollout-words.ts'
import type { Drain, Rollout } from '../../../src/core/rollout.ts'
import type { Entry, Lease } from '../../../src/core/store.ts'
import type { Cluster } from './cluster.ts'

/** What a proxy goes by, all of it from one revision of the store. */
export interface Table {
  readonly revision: number
  readonly alive: ReadonlySet<string>
  /** By node, what it gets no new requests for; undefined is everything. */
  readonly drains: ReadonlyMap<string, readonly (readonly string[] | undefined)[]>
  /** While a release is exposed that its rollout takes from node to node: those it knows of. */
  readonly known: readonly string[] | undefined
}

const LEASE_MS = 5000

/** A proxy that obeys: it takes over the store's drains a moment after they are there, whole, and says so. */
export class SimProxy {
  readonly name: string
  readonly #cluster: Cluster
  table: Table | undefined
  /** `hung` goes on routing by its last table; `failed` says that it cannot take over another one. */
  state: 'up' | 'hung' | 'failed' | 'gone' = 'up'
  #lease: Lease | undefined
  #told = ''

  constructor(cluster: Cluster, name: string) {
    this.name = name
    this.#cluster = cluster
    void this.#run()
  }

  /** Nodes that a request for an item may be sent to now; active checks find out at once what an application serves. */
  owners(item: string): readonly string[] {
    const { table } = this
    if (table === undefined) return []
    return [...this.#cluster.nodes.values()]
      .filter(
        ({ name, isUp, served }) => isUp && served.has(item) && table.alive.has(name) && !isDrained(table, name, item),
      )
      .map(({ name }) => name)
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#cluster.clock.sleep(30 + this.#cluster.random() * 500)
      if (this.state === 'gone') return
      if (this.state !== 'hung') await this.#look()
    }
  }

  async #look(): Promise<void> {
    await this.#claim()
    const { entries, revision } = await this.#cluster.store.list('')
    // Until it is in force: the store may move on meanwhile.
    await this.#cluster.clock.sleep(this.#cluster.random() * 200)
    if (this.state === 'gone' || this.state === 'hung') return
    if (this.state === 'up') {
      this.table = tableOf(entries, revision)
      this.#cluster.watcher.onTable(this.name, revision)
      this.#cluster.look()
    }
    const { alive = [], drains = [] } = this.table ?? {}
    const news = JSON.stringify([[...alive], [...drains], this.state])
    if (news === this.#told) return
    this.#told = news
    const value = {
      kind: 'nginx',
      state: this.state === 'up' ? 'in-step' : 'failed',
      asOf: this.table?.revision ?? 0,
      atMs: 0,
    }
    await this.#cluster.store.commit({
      changes: [{ op: 'put', key: keys.proxy(this.name, 'nginx'), value: JSON.stringify(value) }],
    })
  }

  async #claim(): Promise<void> {
    try {
      if (this.#lease !== undefined) return await this.#lease.renew()
    } catch (error) {
      if (!isError(error, 'LEASE_ENDED')) throw error
    }
    this.#lease = await this.#cluster.store.grantLease(LEASE_MS)
    await this.#cluster.store.commit({
      changes: [{ op: 'put', key: keys.alive(this.name), value: '{}', leaseId: this.#lease.id }],
    })
  }
}

function tableOf(entries: readonly Entry[], revision: number): Table {
  const alive = new Set<string>()
  const drains = new Map<string, (readonly string[] | undefined)[]>()
  let known: readonly string[] | undefined
  for (const { key, value } of entries) {
    const at = parseNodeKey(key)
    if (at?.family === 'alive') alive.add(at.node)
    const [top, node = ''] = key.split('/')
    if (top === 'drain') drains.set(node, [...(drains.get(node) ?? []), (JSON.parse(value) as Drain).items])
    if (top === 'rollout') known = knownIn(JSON.parse(value) as Rollout)
  }
  return { revision, alive, drains, known }
}

/** One that has joined a moment ago, and is not drained yet, serves the release before. */
function knownIn(rollout: Rollout): readonly string[] | undefined {
  return rollout.exposed && isUnderWay(rollout) ? rollout.order : undefined
}

function isDrained({ drains, known }: Table, node: string, item: string): boolean {
  if (known?.includes(node) === false) return true
  return drains.get(node)?.some((items) => items === undefined || items.includes(item)) === true
}
