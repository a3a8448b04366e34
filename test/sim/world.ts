import { Agent } from '../../src/agent/agent.ts'
import type { AgentOptions } from '../../src/agent/parts.ts'
import { MemoryBus } from '../../src/bus/memory/memory-bus.ts'
import { FlotillaError, isError } from '../../src/core/errors.ts'
import { keys, parseNodeKey } from '../../src/core/keys.ts'
import { silent } from '../../src/core/log.ts'
import type { Desired, ReleaseRecord, Request } from '../../src/core/release.ts'
import { nodesOf, statusOf } from '../../src/core/status.ts'
import type { Change } from '../../src/core/store.ts'
import type { NodeAlive, NodeTarget } from '../../src/core/target.ts'
import { Subscription } from '../../src/lib/subscription.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { LossyBus } from '../fault/lossy-bus.ts'
import { seeded } from '../helpers/random.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { Application, type Content, Disk } from './application.ts'
import { FakeTarget } from './fake-target.ts'
import { Invariants } from './invariants.ts'
import { clockOf, Life, memoryOf } from './life.ts'
import { Wire, WiredStore, wiredBus } from './wire.ts'

export const TREE = 'datasets'

/** One machine: what lies on its disk, its application, its network, and the agent's process while there is one. */
export interface Machine {
  readonly name: string
  readonly disk: Disk
  readonly application: Application
  readonly wire: Wire
  readonly wall: { offsetMs: number }
  process: Process | undefined
  /** Code of the error its last agent ended with. */
  ended: string | undefined
}

interface Process {
  readonly life: Life
  readonly stop: AbortController
  readonly edits: Subscription<object>
  readonly startedMs: number
}

/** Whose place an agent takes. */
interface Seat {
  readonly node: string
  readonly life: Life
  readonly edits: Subscription<object>
}

export interface WorldOptions {
  readonly seed: number
  /** Shares of the hints that the bus loses, repeats and delays. */
  readonly faults?: { readonly lose: number; readonly repeat: number; readonly delay: number }
}

/**
 * A cluster in one process: real agents against a real store, with everything around them simulated, and time that
 * passes only when nothing else is left to do. The same seed gives the same run, event by event.
 */
export class World {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock, keepRevisions: 200 })
  readonly machines = new Map<string, Machine>()
  readonly releases: Content[] = []
  readonly invariants = new Invariants(this)
  /** Everything that could be seen from outside, in order. */
  readonly trace: string[] = []
  readonly random: () => number
  readonly #bus: LossyBus
  readonly #told = new Map<string, string>()
  #ids = 0

  constructor({ seed, faults = { lose: 0, repeat: 0, delay: 0 } }: WorldOptions) {
    this.random = seeded(seed)
    this.#bus = new LossyBus(new MemoryBus(), { ...faults, clock: this.clock, random: this.random })
    void this.#watch()
  }

  get desired(): number {
    return this.releases.length
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name)
    if (machine === undefined) throw new Error(`there is no machine ${name}`)
    return machine
  }

  /** A machine with an empty disk, or with a copy of another's. */
  addMachine(name: string, copyOf?: Machine): Machine {
    const disk = new Disk()
    if (copyOf !== undefined) copyDisk(copyOf.disk, disk)
    const machine: Machine = {
      name,
      disk,
      application: new Application(disk, this.clock, () => 500 + this.random() * 4000),
      wire: new Wire(this.clock, this.random),
      wall: { offsetMs: 0 },
      process: undefined,
      ended: undefined,
    }
    this.machines.set(name, machine)
    return machine
  }

  /** Starts an agent on a machine, as node `node`; with `killAt` it dies at that effect. */
  startAgent(machine: Machine, { node = machine.name, killAt }: { node?: string; killAt?: number } = {}): void {
    if (machine.process !== undefined) return
    const life = new Life(killAt)
    const stop = new AbortController()
    const ended = AbortSignal.any([stop.signal, life.signal])
    const edits = new Subscription<object>({ signal: ended, limit: 100 })
    const agent = new Agent(this.agentOptions(machine, { node, life, edits }))
    machine.process = { life, stop, edits, startedMs: this.clock.monotonicMs() }
    life.signal.addEventListener('abort', () => (machine.process = undefined))
    void this.#follow(machine, agent.run(stop.signal))
  }

  kill(machine: Machine): void {
    machine.process?.life.kill()
  }

  stopAgent(machine: Machine): void {
    machine.process?.stop.abort()
  }

  /** What an operator does by hand to the configuration file. With `seen`, the file system tells the agent. */
  edit(machine: Machine, id: string, version: string, { seen }: { readonly seen: boolean }): void {
    const { config } = machine.disk
    if (config === undefined) return
    machine.disk.config = { ...config, content: { ...config.content, [id]: version } }
    if (seen) machine.process?.edits.push({})
  }

  /** What the hub does when a release is made. */
  async release(content: Content, rollbackTo?: number): Promise<number> {
    this.releases.push(content)
    const number = this.desired
    const manifest = `m${number}`
    const record: ReleaseRecord = {
      tree: TREE,
      number,
      manifest,
      author: 'sim',
      message: '',
      atMs: this.clock.nowMs(),
      ...(rollbackTo !== undefined && { rollbackTo }),
      items: Object.keys(content).length,
      changes: { added: 0, removed: 0, changed: 0 },
    }
    const commit = await this.store.commit({
      changes: [
        { op: 'put', key: keys.release(TREE, number), value: JSON.stringify(record) },
        { op: 'put', key: keys.desired(TREE), value: JSON.stringify({ release: number, manifest } satisfies Desired) },
      ],
    })
    if (!commit.committed) throw new Error('a release without expectations was not committed')
    await this.#bus.publish({ prefix: keys.desired(TREE), revision: commit.revision })
    return number
  }

  async request(item: string): Promise<void> {
    const request: Request = { kind: 'reload', item, author: 'sim', atMs: this.clock.nowMs() }
    const key = keys.request(TREE, request.kind, item)
    const commit = await this.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(request) }] })
    if (commit.committed) await this.#bus.publish({ prefix: keys.requests(TREE), revision: commit.revision })
  }

  async run(ms: number): Promise<void> {
    await this.clock.advance(ms)
    this.invariants.check()
  }

  /** What a person would be told. */
  async status(): Promise<string> {
    const { entries } = await this.store.list(keys.nodes)
    const entry = await this.store.get(keys.release(TREE, Math.max(1, this.desired)))
    const desired = entry && (JSON.parse(entry.value) as ReleaseRecord)
    return statusOf(TREE, desired, nodesOf(entries)).summary
  }

  async report(node: string): Promise<NodeTarget | undefined> {
    const entry = await this.store.get(keys.target(node, TREE))
    return entry && (JSON.parse(entry.value) as NodeTarget)
  }

  note(event: string): void {
    this.trace.push(`${(this.clock.monotonicMs() / 1000).toFixed(2).padStart(7)}s ${event}`)
  }

  async #follow(machine: Machine, running: Promise<void>): Promise<void> {
    let code: string | undefined
    try {
      await running
    } catch (error) {
      code = isError(error) ? error.code : String(error)
    }
    machine.process = undefined
    machine.ended = code
    this.invariants.onEnd(machine, code)
    this.note(`${machine.name} agent ended${code === undefined ? '' : ` with ${code}`}`)
  }

  /** What an agent on this machine is made of. */
  agentOptions(machine: Machine, { node = machine.name, life = new Life(), edits }: Partial<Seat> = {}): AgentOptions {
    const { disk, application, wire, wall } = machine
    const onWrite = (release: number, content: Content): void => this.invariants.onWrite(machine, release, content)
    const target = new FakeTarget({ disk, application, life, onWrite })
    return {
      node,
      version: '0.0.0',
      // Tells the invariants which of several machines with one node name speaks.
      peerUrl: `http://${machine.name}`,
      values: [],
      targets: [{ tree: TREE, target, localChanges: edits && ((signal) => until(signal, edits)) }],
      store: new WiredStore(this.store, wire, life),
      bus: wiredBus(this.#bus, wire, life),
      stage: async (wanted) =>
        await life.effect(async () => {
          const { desired, requests } = wanted
          const manifest = await this.#fetch(machine, desired)
          const tree = { files: [], read: async () => new Uint8Array() }
          return { release: { number: desired.release, manifest, tree, requests }, durable: async () => undefined }
        }),
      memory: memoryOf(life, disk.texts),
      clock: clockOf(life, this.clock, wall),
      log: silent,
      random: this.random,
      newId: () => `id${(this.#ids += 1)}`,
    }
  }

  /** The blobs of a release, from the node's disk or over the wire. */
  async #fetch({ disk, wire }: Machine, { manifest, release }: Desired): Promise<ManifestOf> {
    let content = disk.blobs.get(manifest)
    if (content === undefined) {
      await wire.travel()
      content = this.releases[release - 1]
      if (content === undefined) throw new FlotillaError('NOT_FOUND', `there is no release ${release}`)
      await wire.travel()
      disk.blobs.set(manifest, content)
    }
    const files = Object.entries(content).map(([path, sha256]) => ({ path, size: 1, sha256 }))
    return { format: 1, kind: 'fake', files, active: {}, removed: {} }
  }

  async #watch(): Promise<void> {
    const { signal } = new AbortController()
    for await (const { changes } of this.store.watch(keys.nodes, { after: 0, signal })) {
      for (const change of changes) this.#see(change)
    }
  }

  #see(change: Change): void {
    const at = parseNodeKey(change.op === 'put' ? change.entry.key : change.key)
    if (at === undefined) return
    if (at.family === 'alive') this.note(`${at.node} ${change.op === 'put' ? 'is alive' : 'is lost'}`)
    if (change.op === 'delete') return
    if (at.family === 'alive') this.invariants.onAlive(at.node, JSON.parse(change.entry.value) as NodeAlive)
    if (at.family !== 'target') return
    const report = JSON.parse(change.entry.value) as NodeTarget
    this.invariants.onReport(at.node, report)
    const line = describeReport(report)
    if (this.#told.get(at.node) !== line) this.note(`${at.node} ${line}`)
    this.#told.set(at.node, line)
  }
}

type ManifestOf = Awaited<ReturnType<AgentOptions['stage']>>['release']['manifest']

/** What a source yields until the signal aborts. */
async function* until(signal: AbortSignal, source: Subscription<object>): AsyncGenerator<object, void> {
  signal.addEventListener('abort', () => source.end(), { once: true })
  yield* source
}

function describeReport({ state, staged, applied, served, error }: NodeTarget): string {
  const numbers = `staged r${staged}, applied r${applied}, served r${served}`
  return `${state}: ${numbers}${error === undefined ? '' : `; ${error.code} ${error.file ?? ''}`.trimEnd()}`
}

function copyDisk(from: Disk, to: Disk): void {
  for (const [name, text] of from.texts) to.texts.set(name, text)
  for (const [hash, content] of from.blobs) to.blobs.set(hash, content)
  for (const [key, generation] of from.done) to.done.set(key, generation)
  to.config = from.config
  to.proved = from.proved
}
