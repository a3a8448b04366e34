import { keys, parseNodeKey } from '../../../src/core/keys.ts'
import type { Desired } from '../../../src/core/release.ts'
import type { Drain, NodeProgress, Rollout } from '../../../src/core/rollout.ts'
import type { Commit, Store, Txn } from '../../../src/core/store.ts'
import type { NodeTarget } from '../../../src/core/target.ts'
import type { Cluster } from './cluster.ts'

const IN_TRANSIT: ReadonlySet<string | undefined> = new Set(['draining', 'applying', 'reverting'])
const TOUCHED: ReadonlySet<string | undefined> = new Set([
  'applying',
  'proved',
  'reverting',
  'reverted',
  'failed',
  'done',
])

/** What must hold at every revision of the store, and for every request, whatever goes wrong. */
export class Watcher {
  readonly violations: string[] = []
  /** Every step of a rollout, for people. */
  readonly trace: string[] = []
  readonly #cluster: Cluster
  readonly #keys = new Map<string, string>()
  /** Who could be asked for anything, from which revision on: alive, up, and not drained by hand as a whole. */
  readonly #present: { readonly revision: number; readonly atMs: number; readonly nodes: readonly string[] }[] = []
  /** Revisions at which clients were sent back to the release before. */
  readonly #takenAway: number[] = []
  /** By proxy and item, the newest version that a client may have seen, and how many times it was taken away by then. */
  readonly #seen = new Map<string, { version: number; takenAway: number }>()
  readonly #tables = new Map<string, number>()
  /** Nodes that are new, or that a rollout has ended without: proxies pass them over until they prove what is wanted. */
  readonly #stale = new Set<string>()
  /** By proxy: it has not followed while a rollout was taken back, so it may send a client anywhere then. */
  readonly #astray = new Map<string, number>()
  /** Nodes that the rollout under way has come to. */
  readonly touched = new Set<string>()
  /** Items that nobody could be asked for, at any moment since it was cleared. */
  readonly unserved = new Set<string>()
  wasExposed = false

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get rollout(): Rollout | undefined {
    return this.#read(keys.rollout(this.#cluster.tree)) as Rollout | undefined
  }

  async run(): Promise<void> {
    const { signal } = new AbortController()
    for await (const { revision, changes } of this.#cluster.store.watch('', { after: 0, signal })) {
      const before = this.rollout
      for (const change of changes) {
        if (change.op === 'put') this.#keys.set(change.entry.key, change.entry.value)
        else this.#keys.delete(change.key)
      }
      this.#notePresent(revision)
      const after = this.rollout
      if (after !== undefined && JSON.stringify(before) !== JSON.stringify(after)) this.#onStep(before, after, revision)
      this.onServing()
    }
  }

  /** The store as one hub sees it. What it commits to a rollout, it commits in office. */
  fenced(store: Store, holder: string): Store {
    const commit = async (txn: Txn): Promise<Commit> => {
      const answer = await store.commit(txn)
      const isStep = txn.changes.some(({ key }) => key.startsWith(keys.rollouts))
      if (isStep && answer.committed) {
        const office = await store.get(keys.service('rollouts'))
        const inOffice = (JSON.parse(office?.value ?? '{}') as { holder?: string }).holder
        const isHeld = txn.expect?.some(({ key, revision }) => key === office?.key && revision === office.revision)
        if (inOffice !== holder || isHeld !== true)
          this.broken(`${holder} moved a rollout while ${inOffice} had the office`)
      }
      return answer
    }
    return {
      get: async (key) => await store.get(key),
      list: async (prefix) => await store.list(prefix),
      watch: (prefix, options) => store.watch(prefix, options),
      grantLease: async (ttlMs) => await store.grantLease(ttlMs),
      lease: (id) => store.lease(id),
      close: async () => undefined,
      commit,
    }
  }

  onJoin(node: string): void {
    this.#stale.add(node)
  }

  onTable(proxy: string, revision: number): void {
    this.#tables.set(proxy, revision)
    const sinceMs = this.#astray.get(proxy)
    if (sinceMs !== undefined && !this.#isReverting() && revision >= sinceMs) this.#astray.delete(proxy)
  }

  /** Looks at whom a client may be sent to now, through each proxy. */
  onServing(): void {
    for (const proxy of this.#cluster.proxies.values()) {
      if (this.#isReverting() && proxy.state !== 'up') this.#astray.set(proxy.name, Number.POSITIVE_INFINITY)
      for (const item of this.#cluster.content(1).items.keys()) this.#onRoute(proxy.name, item, proxy.owners(item))
    }
  }

  broken(what: string): void {
    if (this.violations.some((violation) => violation.endsWith(what))) return
    this.violations.push(`${this.#time()} ${what}`)
    this.note(`!! ${what}`)
  }

  note(what: string): void {
    this.trace.push(`${this.#time()} ${what}`)
  }

  #onRoute(proxy: string, item: string, owners: readonly string[]): void {
    const asked = owners.filter((node) => !this.#stale.has(node))
    if (asked.length === 0) this.unserved.add(item)
    // Where there is only one node, clients see what it serves.
    const isAlone = this.#isReverting() && (this.rollout?.order.length ?? 0) < 2
    if (isAlone) this.#seen.delete(`${proxy} ${item}`)
    if (asked.length === 0 || isAlone || this.#astray.has(proxy)) return
    const table = this.#tables.get(proxy) ?? 0
    const takenAway = this.#takenAway.filter((revision) => revision <= table).length
    const known = this.#seen.get(`${proxy} ${item}`)
    const seen = known?.takenAway === takenAway ? known.version : 0
    const versions = asked.map((node) => this.#cluster.nodes.get(node)?.served.get(item) ?? 0)
    const newest = Math.max(seen, ...versions)
    this.#seen.set(`${proxy} ${item}`, { version: newest, takenAway })
    for (const [index, version] of versions.entries()) {
      if (version < newest)
        this.broken(`${proxy} may send a client from ${item}=${newest} to ${asked[index]}, ${item}=${version}`)
    }
  }

  #onStep(before: Rollout | undefined, after: Rollout, revision: number): void {
    const isNew = before?.startedAtMs !== after.startedAtMs || before.release !== after.release
    if (isNew) {
      this.touched.clear()
      this.wasExposed = false
    }
    const phases = after.order.map((node) => `${node} ${after.nodes[node]?.phase}`)
    const why =
      after.reason === undefined ? '' : `; ${after.reason.code} ${after.reason.node ?? ''} ${after.reason.message}`
    this.note(`r${after.release} ${after.state}${after.exposed ? ' exposed' : ''}: ${phases.join(', ')}${why}`)
    for (const [node, { phase }] of Object.entries(after.nodes)) if (TOUCHED.has(phase)) this.touched.add(node)
    if (!isNew && before.state === 'reverting' && ['running', 'paused'].includes(after.state)) {
      this.broken('a rollout that was taken back goes on')
    }
    if (!isNew && before.exposed && !after.exposed) this.#takenAway.push(revision)
    if (!before?.exposed && after.exposed) this.#onExposed(after)
    this.#checkBudget(isNew ? undefined : before, after)
    if (['done', 'rolled-back', 'aborted'].includes(after.state)) this.#onEnd(after, revision)
  }

  /** No item is out of service on more nodes than the strategy allows, by our doing. */
  #checkBudget(before: Rollout | undefined, after: Rollout): void {
    const began = Object.entries(after.nodes).filter(
      ([node, { phase }]) => IN_TRANSIT.has(phase) && !IN_TRANSIT.has(before?.nodes[node]?.phase),
    )
    for (const [node, progress] of began) {
      const present = this.#presentAround(progress)
      const isOut = (each: string): boolean =>
        IN_TRANSIT.has(after.nodes[each]?.phase) || present.every((nodes) => !nodes.includes(each))
      const out = after.order.filter((each) => isOut(each) && !this.#isGone(each, after))
      const wasIn = present.every((nodes) => nodes.includes(node))
      if (out.length > after.strategy.maxUnavailable && wasIn) {
        this.broken(`${node} was taken out of service besides ${out.join(', ')}`)
      }
    }
  }

  /** On the way back, one that has been away for the time of the gate is not waited for. */
  #isGone(node: string, { state, strategy }: Rollout): boolean {
    const since = this.#present[this.#present.findLastIndex(({ nodes }) => nodes.includes(node)) + 1]?.atMs
    const awayMs = since === undefined ? 0 : this.#cluster.clock.monotonicMs() - since
    return state === 'reverting' && awayMs >= strategy.gateTimeoutMs
  }

  /** Clients are let in only where the release is served. */
  #onExposed(rollout: Rollout): void {
    this.wasExposed = true
    for (const [name, { phase }] of Object.entries(rollout.nodes)) {
      const node = this.#cluster.nodes.get(name)
      if (phase !== 'proved' || node === undefined || !node.isUp) continue
      for (const [item, effect] of Object.entries(rollout.effects)) {
        const isExpected = effect !== 'removed' && rollout.strategy.failedMax === 0
        if (isExpected && node.served.get(item) !== rollout.release)
          this.broken(`clients are let in to ${name} without ${item}`)
      }
    }
  }

  #onEnd(rollout: Rollout, revision: number): void {
    const desired = this.#read(keys.desired(this.#cluster.tree)) as Desired | undefined
    const expected = rollout.state === 'done' ? rollout.release : rollout.from.release
    if (desired?.release !== expected) this.broken(`after ${rollout.state}, r${desired?.release} is desired`)
    for (const key of this.#keys.keys()) {
      const isPin = key.startsWith(keys.pins(this.#cluster.tree))
      if (isPin || (key.startsWith(keys.drains) && !key.endsWith('/manual')))
        this.broken(`${key} is left after ${rollout.state}`)
    }
    const settled = rollout.state === 'done' ? ['done'] : ['waiting', 'reverted']
    for (const [node, { phase }] of Object.entries(rollout.nodes)) if (!settled.includes(phase)) this.#stale.add(node)
    for (const proxy of this.#astray.keys()) this.#astray.set(proxy, revision)
  }

  #notePresent(revision: number): void {
    const alive = [...this.#keys.keys()].flatMap((key) => {
      const at = parseNodeKey(key)
      return at?.family === 'alive' ? [at.node] : []
    })
    const nodes = alive.filter((node) => {
      const drain = this.#read(keys.drain(node, 'manual')) as Drain | undefined
      const report = this.#read(keys.target(node, this.#cluster.tree)) as NodeTarget | undefined
      return report?.state !== 'unproved' && (drain === undefined || drain.items !== undefined)
    })
    this.#present.push({ revision, atMs: this.#cluster.clock.monotonicMs(), nodes })
    for (const node of this.#stale) if (this.#isUpToDate(node)) this.#stale.delete(node)
  }

  #isUpToDate(node: string): boolean {
    const { tree } = this.#cluster
    const report = this.#read(keys.target(node, tree)) as NodeTarget | undefined
    const wanted =
      (this.#read(keys.pin(tree, node)) as Desired | undefined) ??
      (this.#read(keys.desired(tree)) as Desired | undefined)
    return report?.state === 'in-step' && report.served === wanted?.release
  }

  /** When it was decided, and when it was committed. */
  #presentAround({ revision }: NodeProgress): readonly (readonly string[])[] {
    const then = this.#present.findLast((each) => each.revision <= revision)?.nodes ?? []
    return [then, this.#present.at(-1)?.nodes ?? []]
  }

  #isReverting(): boolean {
    return this.rollout?.state === 'reverting'
  }

  #read(key: string): unknown {
    const value = this.#keys.get(key)
    return value === undefined ? undefined : JSON.parse(value)
  }

  #time(): string {
    return `${(this.#cluster.clock.monotonicMs() / 1000).toFixed(2).padStart(7)}s`
  }
}
