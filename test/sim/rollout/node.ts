import { isError } from '../../../src/core/errors.ts'
import { keys } from '../../../src/core/keys.ts'
import type { Desired } from '../../../src/core/release.ts'
import type { Pin } from '../../../src/core/rollout.ts'
import type { Lease } from '../../../src/core/store.ts'
import type { ItemReport, NodeTarget } from '../../../src/core/target.ts'
import type { Cluster } from './cluster.ts'
import { isBroken } from './content.ts'

const LEASE_MS = 5000

/** An agent and its application, as far as a rollout can see them: they take up what they are pinned to, and report it. */
export class SimNode {
  readonly name: string
  readonly #cluster: Cluster
  /** What the application serves now, in which version. */
  readonly served = new Map<string, number>()
  readonly #failed = new Set<string>()
  readonly #loading = new Map<string, number>()
  /** The application runs. */
  isUp = true
  /** `hung` does nothing, as under SIGSTOP. */
  agent: 'up' | 'hung' | 'gone' = 'up'
  /** How many times longer everything takes. */
  slowness = 1
  /** It cannot fetch contents. */
  isCutOff = false
  #applied = 0
  #pinOfRequests = 0
  #lease: Lease | undefined
  #told = ''
  #loads = 0

  /** How often it was told to load anything. */
  get loads(): number {
    return this.#loads
  }

  constructor(cluster: Cluster, name: string) {
    this.name = name
    this.#cluster = cluster
    void this.#run()
  }

  /** Serves a release from the start. */
  begin(number: number): void {
    this.#applied = number
    for (const [item, version] of this.#cluster.content(number).items) this.served.set(item, version)
  }

  crash(): void {
    this.isUp = false
    this.served.clear()
    this.#loading.clear()
    this.#failed.clear()
  }

  start(): void {
    if (this.isUp) return
    this.isUp = true
    for (const item of this.#cluster.content(this.#applied).items.keys()) void this.#load(item)
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#cluster.clock.sleep((50 + this.#cluster.random() * 400) * this.slowness)
      if (this.agent === 'gone') return
      if (this.agent === 'up') await this.#look()
    }
  }

  async #look(): Promise<void> {
    await this.#claim()
    const { entries } = await this.#cluster.store.list(keys.desired(this.#cluster.tree))
    const base = entries.find(({ key }) => key === keys.desired(this.#cluster.tree))
    const own = entries.find(({ key }) => key === keys.pin(this.#cluster.tree, this.name))
    const entry = own ?? base
    if (entry === undefined || base === undefined) return
    const pin = JSON.parse(entry.value) as Desired & Partial<Pin>
    const asOf = Math.max(base.revision, own?.revision ?? 0)
    if (this.isCutOff && pin.release !== this.#applied) {
      const error = { code: 'UNREACHABLE' as const, message: 'no contents' }
      return this.#tell({ ...this.#report(), state: 'failed', error, asOf })
    }
    if (pin.release !== this.#applied) this.#apply(pin.release)
    if (pin.requests !== undefined && entry.revision !== this.#pinOfRequests) {
      this.#pinOfRequests = entry.revision
      for (const { item } of pin.requests) this.#reload(item)
    }
    return this.#tell({ ...this.#report(), asOf })
  }

  async #claim(): Promise<void> {
    try {
      if (this.#lease !== undefined) return await this.#lease.renew()
    } catch (error) {
      if (!isError(error, 'LEASE_ENDED')) throw error
    }
    this.#lease = await this.#cluster.store.grantLease(LEASE_MS)
    const value = JSON.stringify({ node: this.name, version: '0', startedAtMs: 0, instance: this.name, values: [] })
    await this.#cluster.store.commit({
      changes: [{ op: 'put', key: keys.alive(this.name), value, leaseId: this.#lease.id }],
    })
  }

  #apply(number: number): void {
    const [before, after] = [this.#cluster.content(this.#applied), this.#cluster.content(number)]
    this.#applied = number
    for (const item of before.items.keys()) {
      if (!after.items.has(item)) this.#drop(item)
    }
    for (const [item, version] of after.items) {
      const hasFailed = this.#failed.has(item)
      if (before.items.get(item) === version && !hasFailed) continue
      const newer = before.number < number ? after : before
      if (newer.effects[item] === 'hard') this.served.delete(item)
      void this.#load(item)
    }
    this.#cluster.look()
  }

  #reload(item: string): void {
    this.served.delete(item)
    void this.#load(item)
    this.#cluster.look()
  }

  #drop(item: string): void {
    this.served.delete(item)
    this.#loading.delete(item)
    this.#failed.delete(item)
  }

  async #load(item: string): Promise<void> {
    const load = (this.#loads += 1)
    this.#loading.set(item, load)
    this.#failed.delete(item)
    await this.#cluster.clock.sleep((200 + this.#cluster.random() * 2000) * this.slowness)
    if (!this.isUp || this.#loading.get(item) !== load) return
    this.#loading.delete(item)
    const content = this.#cluster.content(this.#applied)
    const version = content.items.get(item)
    if (version === undefined || isBroken(content, item, this.name)) {
      this.served.delete(item)
      if (version !== undefined) this.#failed.add(item)
    } else {
      this.served.set(item, version)
    }
    this.#cluster.look()
  }

  #report(): Omit<NodeTarget, 'atMs'> {
    const troubled: [string, ItemReport][] = [
      ...[...this.#failed].map((item): [string, ItemReport] => [item, { state: 'failed' }]),
      ...[...this.#loading.keys()].map((item): [string, ItemReport] => [item, { state: 'loading' }]),
    ]
    const isLoading = this.#loading.size > 0
    const state = !this.isUp ? 'unproved' : isLoading ? 'pending' : this.#failed.size > 0 ? 'failed' : 'in-step'
    const total = this.#cluster.content(this.#applied).items.size
    return {
      kind: 'sim',
      state,
      staged: this.#applied,
      applied: this.#applied,
      served: state === 'in-step' ? this.#applied : 0,
      warnings: [],
      progress: { done: total - troubled.length, total },
      troubled: Object.fromEntries(troubled),
    }
  }

  async #tell(report: Omit<NodeTarget, 'atMs'>): Promise<void> {
    const value = JSON.stringify({ ...report, atMs: 0 })
    if (value === this.#told) return
    this.#told = value
    await this.#cluster.store.commit({
      changes: [{ op: 'put', key: keys.target(this.name, this.#cluster.tree), value }],
    })
  }
}
