import { keys } from '../../../src/core/keys.ts'
import { silent } from '../../../src/core/log.ts'
import type { Desired, Request } from '../../../src/core/release.ts'
import type { Strategy } from '../../../src/core/rollout.ts'
import { strategyOf } from '../../../src/core/rollout/strategy.ts'
import { Rollouts } from '../../../src/rollout/rollouts.ts'
import { RolloutService } from '../../../src/rollout/service.ts'
import { MemoryStore } from '../../../src/store/memory/memory-store.ts'
import { type FaultPlan, FlakyStore } from '../../fault/flaky-store.ts'
import { seeded } from '../../helpers/random.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'
import { clockOf, Life } from '../life.ts'
import { Wire, WiredStore } from '../wire.ts'
import { type Content, type ContentChange, FIRST, nextContent } from './content.ts'
import { SimNode } from './node.ts'
import { SimProxy } from './proxy.ts'
import { Watcher } from './watcher.ts'

/** A hub, as far as rollouts go: its service, its line to the store, and a wall clock that may be wrong. */
export interface SimHub {
  readonly name: string
  readonly life: Life
  readonly wire: Wire
  readonly stop: AbortController
  readonly ended: Promise<void>
}

export interface HubOptions {
  readonly offsetMs?: number
  /** What goes wrong with its calls of the store. */
  readonly faults?: FaultPlan
  /** It dies at that effect, counted from 1. */
  readonly killAt?: number
}

/**
 * A cluster in one process: the real service of rollouts on a real store, with scripted nodes and proxies, and time that
 * passes only when nothing else is left to do. The same seed gives the same run.
 */
export class Cluster {
  readonly tree = 'datasets'
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock, keepRevisions: 1000 })
  readonly rollouts = new Rollouts({ store: this.store, clock: this.clock })
  readonly nodes = new Map<string, SimNode>()
  readonly proxies = new Map<string, SimProxy>()
  readonly hubs: SimHub[] = []
  readonly contents = new Map<number, Content>([[1, FIRST]])
  readonly watcher = new Watcher(this)
  readonly random: () => number
  #numbers = 1

  constructor(seed: number) {
    this.random = seeded(seed)
  }

  content(number: number): Content {
    const content = this.contents.get(number)
    if (content === undefined) throw new Error(`there is no release ${number}`)
    return content
  }

  /** Release 1 is desired, and served by every node. */
  async begin(nodes: readonly string[], proxies: readonly string[] = []): Promise<void> {
    void this.watcher.run()
    const desired: Desired = { release: 1, manifest: 'm1' }
    await this.store.commit({
      changes: [{ op: 'put', key: keys.desired(this.tree), value: JSON.stringify(desired) }],
    })
    for (const name of nodes) await this.join(name)
    for (const name of proxies) this.proxies.set(name, new SimProxy(this, name))
    await this.run(3000)
  }

  async join(name: string): Promise<SimNode> {
    await this.store.commit({ changes: [{ op: 'put', key: keys.joined(name), value: '{}' }] })
    const node = new SimNode(this, name)
    this.nodes.set(name, node)
    node.begin((await this.desired()).release)
    this.watcher.onJoin(name)
    return node
  }

  /** What `flotilla nodes forget` does. */
  async forget(name: string): Promise<void> {
    const node = this.nodes.get(name)
    const proxy = this.proxies.get(name)
    if (node !== undefined) node.agent = 'gone'
    if (proxy !== undefined) proxy.state = 'gone'
    this.nodes.delete(name)
    this.proxies.delete(name)
    const { entries } = await this.store.list(keys.node(name))
    await this.store.commit({ changes: entries.map(({ key }) => ({ op: 'delete', key })) })
  }

  startHub(name: string, { offsetMs = 0, faults, killAt }: HubOptions = {}): SimHub {
    const life = new Life(killAt)
    const wire = new Wire(this.clock, this.random)
    const stop = new AbortController()
    const wired = new WiredStore(this.watcher.fenced(this.store, name), wire, life)
    const store = faults === undefined ? wired : new FlakyStore(wired, this.clock, faults)
    const clock = clockOf(life, this.clock, { offsetMs })
    const service = new RolloutService({ store, clock, log: silent, random: this.random, holder: name })
    const hub = { name, life, wire, stop, ended: this.#follow(service.run(stop.signal)) }
    this.hubs.push(hub)
    return hub
  }

  killHubs(): void {
    for (const { life } of this.hubs) life.kill()
  }

  /** A release and its rollout. */
  async release(change: ContentChange, strategy: Partial<Strategy> = {}): Promise<number> {
    const from = await this.desired()
    const number = (this.#numbers += 1)
    this.contents.set(number, nextContent(number, this.content(from.release), change))
    await this.rollouts.start({
      tree: this.tree,
      release: { release: number, manifest: `m${number}` },
      from,
      effects: change.effects,
      strategy: strategyOf(strategy),
      author: 'sim',
    })
    return number
  }

  async reload(items: readonly string[], strategy: Partial<Strategy> = {}): Promise<void> {
    const from = await this.desired()
    const requests = items.map((item): Request => ({ kind: 'reload', flag: 'hard', item, author: 'sim', atMs: 0 }))
    await this.rollouts.start({
      tree: this.tree,
      release: from,
      from,
      effects: Object.fromEntries(items.map((item) => [item, 'hard'])),
      requests,
      strategy: strategyOf(strategy),
      author: 'sim',
    })
  }

  async desired(): Promise<Desired & { readonly revision: number }> {
    const entry = await this.store.get(keys.desired(this.tree))
    if (entry === undefined) throw new Error('nothing is desired')
    return { ...(JSON.parse(entry.value) as Desired), revision: entry.revision }
  }

  async run(ms: number): Promise<void> {
    await this.clock.advance(ms)
  }

  /** Until the rollout is over, or for so long. */
  async runToEnd(limitMs: number): Promise<string> {
    const endMs = this.clock.monotonicMs() + limitMs
    for (;;) {
      const state = (await this.rollouts.get(this.tree))?.rollout.state ?? 'none'
      const isUnderWay = state === 'running' || state === 'reverting' || state === 'paused'
      if (!isUnderWay || this.clock.monotonicMs() >= endMs) return state
      await this.run(500)
    }
  }

  /** Something has changed that requests may feel. */
  look(): void {
    this.watcher.onServing()
  }

  async #follow(running: Promise<void>): Promise<void> {
    try {
      await running
    } catch (error) {
      this.watcher.broken(`a service ended with ${String(error)}`)
    }
  }
}
