import type { Clock } from '../../../core/clock.ts'
import { messageOf } from '../../../core/errors.ts'
import type { Logger } from '../../../core/log.ts'
import type { NodeProxy } from '../../../core/rollout.ts'
import { type Cluster, type ClusterOptions, ClusterReader, concernsRouting } from '../../../core/routing/cluster.ts'
import type { ProxyDriver, RoutingTable } from '../../../core/routing/model.ts'
import type { TableMaker } from '../../../core/routing/table.ts'
import type { Service } from '../../../core/service.ts'
import type { Entry } from '../../../core/store.ts'
import { Backoff } from '../../../lib/backoff.ts'
import { sleepQuietly, withDeadline } from '../../../lib/waiting.ts'
import { Wake } from '../../../lib/wake.ts'
import type { Addresses } from './addresses.ts'
import type { Health } from './health.ts'
import type { SavedCluster } from './saved.ts'

/** A copy of the store, as far as it concerns the way of requests. */
export interface Feed {
  readonly entries: ReadonlyMap<string, Entry>
  /** Undefined before the store was first reached. */
  readonly revision: number | undefined
}

export interface KeeperOptions extends ClusterOptions {
  readonly name: string
  readonly driver: ProxyDriver
  readonly maker: TableMaker
  readonly feed: Feed
  readonly health: Health
  readonly addresses: Addresses
  readonly saved: SavedCluster
  /** Says to the cluster what is in force. */
  readonly tell: (proxy: NodeProxy) => void
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Of several changes that come together one table is made. A drain that waits for this is not worth noticing. */
const SETTLE_MS = 20
/** While datasets load on fifty nodes, one of them has something to say all the time. */
const REPORTS_MS = 1000
/** How often the proxy is looked at although nothing has changed: somebody else may have restarted or edited it. */
const AGAIN_MS = 15_000
/** nginx without its Lua module is reloaded at most every 10 s. */
const APPLY_MS = 60_000
const FAILED = { firstMs: 1000, maxMs: 30_000 }

type Reason = 'order' | 'report' | 'nodes'

/**
 * Keeps one proxy beside this agent in step with the cluster: follows nodes, drains and releases, and tells the proxy.
 * Says that a drain is in force only when the proxy does it. Without the hub it goes on with what it knew last, and with
 * its own checks; nothing that a proxy serves by is ever taken away because nothing is known.
 */
export class Keeper implements Service {
  readonly name: string
  readonly #options: KeeperOptions
  readonly #wake: Wake<Reason>
  readonly #failures: Backoff
  readonly #reader: ClusterReader
  #cluster: Cluster | undefined
  #isStale = true
  #told: NodeProxy | undefined
  /** The revision of the last table that the proxy took over. */
  #inForce = 0

  constructor(options: KeeperOptions) {
    this.#options = options
    this.name = `proxy ${options.name}`
    this.#wake = new Wake(options.clock)
    this.#reader = new ClusterReader(options)
    this.#failures = new Backoff({ ...FAILED, random: options.random })
  }

  /** For the feed to call, with the keys that changed. */
  changed(changedKeys: readonly string[]): void {
    for (const key of changedKeys) {
      const concern = concernsRouting(this.#options.tree, key)
      if (concern === undefined) continue
      this.#isStale = true
      this.#wake.poke(concern)
    }
  }

  /** A node went or came, or moved, as seen from here. */
  look(): void {
    this.#wake.poke('nodes')
  }

  /** What a node is taken to serve, for the checks to look whether it does. */
  expected(node: string): readonly string[] {
    const unserved = this.#cluster?.members.find((member) => member.node === node)?.unserved ?? {}
    return (this.#cluster?.items ?? []).filter((item) => !Object.hasOwn(unserved, item))
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    await this.#restore()
    let reasons: ReadonlySet<Reason> = new Set(['order'])
    while (!signal.aborted) {
      const pauseMs = await this.#round(reasons, signal)
      reasons = await this.#news(pauseMs, signal)
      if (reasons.size > 0) await sleepQuietly(clock, SETTLE_MS, signal)
    }
  }

  /** What there is a reason for to look again, at the latest after that time. Reports do not come twice a second. */
  async #news(ms: number, signal: AbortSignal): Promise<ReadonlySet<Reason>> {
    const reasons = await this.#wake.wait({ ms: Math.min(ms, REPORTS_MS), signal, deaf: ['report'] })
    if (reasons.size > 0 || ms <= REPORTS_MS) return reasons
    return await this.#wake.wait({ ms: ms - REPORTS_MS, signal })
  }

  async #restore(): Promise<void> {
    if (this.#cluster !== undefined) return
    const known = await this.#options.saved.load()
    if (known === undefined) return
    this.#cluster = known.cluster
    this.#options.addresses.restore(known.addresses)
  }

  /** Brings what is known now into force. Answers how long to wait for news. */
  async #round(reasons: ReadonlySet<Reason>, signal: AbortSignal): Promise<number> {
    const { driver, clock, log, name } = this.#options
    const table = this.#table()
    if (table === undefined) return AGAIN_MS
    try {
      const { how } = await withDeadline(clock, APPLY_MS, async (late) => {
        return await driver.apply(table, { signal: AbortSignal.any([signal, late]) })
      })
      this.#inForce = table.asOf
      this.#failures.reset()
      if (how !== 'unchanged') log.info('the proxy follows', { proxy: name, how, asOf: table.asOf })
      await this.#save()
      // A report of a node that changes nothing is no news to anybody.
      if (how !== 'unchanged' || reasons.has('order') || this.#told?.state !== 'in-step')
        this.#say({ state: 'in-step' })
      return AGAIN_MS
    } catch (error) {
      if (signal.aborted) return 0
      log.warn('the proxy keeps its last configuration', { proxy: name, error: messageOf(error) })
      this.#say({ state: 'failed', error: messageOf(error) })
      return this.#failures.nextMs()
    }
  }

  async #save(): Promise<void> {
    const { saved, addresses } = this.#options
    if (this.#cluster !== undefined) await saved.save({ cluster: this.#cluster, addresses: addresses.found })
  }

  #say(what: Pick<NodeProxy, 'state' | 'error'>): void {
    const { driver, clock, tell } = this.#options
    this.#told = { kind: driver.kind, ...what, asOf: this.#inForce, atMs: clock.nowMs() }
    tell(this.#told)
  }

  /** Undefined while nothing is known, now or from before: a table without nodes would refuse everybody. */
  #table(): RoutingTable | undefined {
    const { health, addresses, maker } = this.#options
    const cluster = this.#known()
    if (cluster === undefined) return undefined
    addresses.follow(cluster.members.map(({ host }) => host))
    const addressOf = (host: string): string | undefined => addresses.of(host)
    const places = cluster.members.flatMap(({ node, host, port }) => {
      const address = addressOf(host)
      return address === undefined ? [] : [[node, { host: address, port }] as const]
    })
    if (places.length === 0 && cluster.members.length > 0) return undefined
    health.follow(new Map(places))
    return maker.make(cluster, { down: health.down, listed: health.listed, addressOf })
  }

  #known(): Cluster | undefined {
    const { feed, log, name } = this.#options
    if (feed.revision === undefined) return this.#cluster ?? this.#fixed()
    if (!this.#isStale) return this.#cluster
    const cluster = this.#reader.read(feed.revision, feed.entries.values(), this.#cluster)
    this.#isStale = false
    if (cluster.members.length === 0 && (this.#cluster?.members.length ?? 0) > 0) {
      log.error('the store knows no node any more; the proxy keeps those it knew', { proxy: name })
      return this.#cluster
    }
    this.#cluster = cluster
    return cluster
  }

  /** Of a proxy that was told its nodes something is known from the start. */
  #fixed(): Cluster | undefined {
    return this.#options.fixed === undefined ? undefined : this.#reader.read(0, [])
  }
}
