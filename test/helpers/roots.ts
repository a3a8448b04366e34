import { setImmediate } from 'node:timers/promises'
import { RootElection } from '../../src/agent/root-election.ts'
import { silent } from '../../src/core/log.ts'
import type { Child } from '../../src/core/push/child.ts'
import type { AckLevel } from '../../src/core/push/ack.ts'
import type { Conditions, PutResult } from '../../src/core/files/tree-files.ts'
import type { Store } from '../../src/core/store.ts'
import { supervise } from '../../src/lib/supervise.ts'
import { TreeDistribution } from '../../src/outbox/distribution.ts'
import { PushedFiles } from '../../src/outbox/pushed-files.ts'
import { PushedTurns } from '../../src/outbox/pushed-turns.ts'
import { TreeReceiver } from '../../src/outbox/receiver.ts'
import { LedgerDisk, MemoryLedger } from './ledger.ts'
import { MemoryParts } from './memory-parts.ts'
import { MemoryTree } from './memory-tree.ts'
import { MemoryTreeFiles } from './memory-tree-files.ts'
import { cut, FaultyChild, MemoryChild } from './push-child.ts'
import { storeInstead } from './store-instead.ts'
import type { VirtualClock } from './virtual-clock.ts'

const TREE = 'music'
const LEASE_MS = 6000

/** Which lines are cut: `a b` between two nodes, `a store`. */
export type Cuts = ReadonlySet<string>

interface World {
  readonly clock: VirtualClock
  readonly store: Store
  readonly cuts: Cuts
  readonly random: () => number
  /** All of them, this one too. */
  readonly nodes: Map<string, RootNode>
  /** Bytes of contents that went from one node to another, by `a b`. */
  readonly sent: Map<string, number>
}

interface Life {
  readonly stop: AbortController
  readonly over: Promise<void>
  readonly receiver: TreeReceiver
  readonly election: RootElection | undefined
  readonly distribution: TreeDistribution
  readonly files: PushedFiles
  readonly ledger: MemoryLedger
}

/** One of several roots in memory, or a child of theirs: what it has on its disk outlives its kills. */
export class RootNode {
  readonly name: string
  readonly tree = new MemoryTree()
  readonly disk: LedgerDisk
  readonly #world: World
  readonly #children: readonly string[]
  readonly #isRoot: boolean
  life: Life | undefined

  constructor(name: string, world: World, children: readonly string[], isRoot = true) {
    this.name = name
    this.disk = new LedgerDisk(`ledger-${name}`, 1)
    this.#world = world
    this.#children = children
    this.#isRoot = isRoot
  }

  get term(): number | undefined {
    return this.life?.election?.term
  }

  contents(): Readonly<Record<string, string>> {
    const all = [...this.tree.files].map(([key, { bytes }]) => [key, Buffer.from(bytes).toString()] as const)
    return Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  start(): void {
    const { clock, random, nodes } = this.#world
    const ledger = new MemoryLedger(clock, this.disk)
    const plain = new MemoryTreeFiles(this.tree)
    const election = this.#isRoot ? this.#election(ledger, () => distribution.onParent()) : undefined
    const receiver: TreeReceiver = new TreeReceiver({
      ledger: async () => ledger,
      files: plain,
      parts: new MemoryParts(plain),
      index: this.tree,
      isRoot: false,
      ...(election !== undefined && { roots: { tree: TREE, election } }),
      deep: async (keys, waitMs, op) => distribution.deep(keys, waitMs, op),
      below: () => distribution.below,
      onRecorded: () => distribution.onRecorded(),
      onGrowing: (growing, outcome) => distribution.onGrowing(growing, outcome),
      onParent: () => distribution.onParent(),
      clock,
      log: silent,
    })
    const distribution: TreeDistribution = new TreeDistribution({
      name: this.name,
      tree: TREE,
      ledger: () => ledger,
      files: plain,
      index: this.tree,
      receiver,
      election,
      children: this.#children.map((name) => ({
        name,
        child: this.#lineTo(name, () => nodes.get(name)?.life?.receiver),
        files: { open: async () => undefined, close: async () => undefined },
      })),
      ack: { level: 'local', timeoutMs: 10_000 },
      clock,
      log: silent,
      random,
    })
    const turns = new PushedTurns({
      ledger,
      election,
      isSettled: () => distribution.isSettled,
      onRecorded: () => distribution.onRecorded(),
    })
    const files = new PushedFiles(plain, {
      turns,
      onGrowing: (growing, outcome) => distribution.onGrowing(growing, outcome),
    })
    const stop = new AbortController()
    const services = [...distribution.services, ...(election === undefined ? [] : [election])]
    const over = supervise(services, { clock, log: silent, random, signal: stop.signal, maxDelayMs: 1000 })
    this.life = { stop, over, receiver, election, distribution, files, ledger }
  }

  /** Whoever speaks to it hears nothing from then on; its lease ends by itself. */
  kill(): void {
    const { life } = this
    this.life = undefined
    life?.stop.abort(new Error('killed'))
  }

  async put(key: string, content: string, conditions: Conditions = {}): Promise<PutResult | undefined> {
    const body = async function* (): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from(content)
    }
    return await this.life?.files.put(key, body(), conditions)
  }

  async remove(key: string): Promise<void> {
    await this.life?.files.remove(key)
  }

  async reached(key: string, level: AckLevel, timeoutMs: number): Promise<boolean> {
    const { life } = this
    if (life === undefined) return false
    return (await life.distribution.reached(key, { level, timeoutMs }, { signal: life.stop.signal })).isReached
  }

  #election(ledger: MemoryLedger, onChange: () => void): RootElection {
    const { clock } = this.#world
    return new RootElection({
      tree: TREE,
      node: this.name,
      store: this.#storeSeen(),
      clock,
      log: silent,
      url: () => `http://${this.name}:1`,
      ttlMs: LEASE_MS,
      floor: () => ledger.next().epoch,
      onLead: (epoch) => {
        ledger.keepParent(undefined)
        ledger.lead(epoch)
        onChange()
      },
      onLost: onChange,
    })
  }

  /** A killed node cannot end its lease, and answers get lost as well as questions. */
  #storeSeen(): Store {
    const { store, cuts } = this.#world
    const through = async <T>(work: () => Promise<T>): Promise<T> => {
      const check = (): void => {
        if (cuts.has(`${this.name} store`) || this.life === undefined) cut()
      }
      check()
      const answer = await work()
      check()
      return answer
    }
    const lease = (id: string) => ({
      id,
      renew: async () => through(async () => store.lease(id).renew()),
      revoke: async () => through(async () => store.lease(id).revoke()),
    })
    return storeInstead(store, {
      get: async (key) => through(async () => store.get(key)),
      commit: async (txn) => through(async () => store.commit(txn)),
      grantLease: async (ttlMs) => lease((await through(async () => store.grantLease(ttlMs))).id),
      lease,
    })
  }

  #lineTo(name: string, receiver: () => TreeReceiver | undefined): Child {
    const { cuts, sent } = this.#world
    const line = `${this.name} ${name}`
    const now = (): TreeReceiver => receiver() ?? cut()
    const child = new MemoryChild(
      {
        hello: async (hello, op) => now().hello(hello, op),
        operations: async (items, op) => {
          for (const { bytes } of items) sent.set(line, (sent.get(line) ?? 0) + (bytes?.byteLength ?? 0))
          return now().operations(items, op)
        },
        partBytes: async (id) => now().partBytes(id),
        body: async (body, op) => now().body(body, op),
        deep: async (keys, waitMs, op) => now().deep(keys, waitMs, op),
        sums: async (prefix, op) => now().sums(prefix, op),
        rows: async (wish, op) => now().rows(wish, op),
      },
      `http://${name}:1`,
    )
    const check = (): void => {
      const other = `${name} ${this.name}`
      if (cuts.has(line) || cuts.has(other) || this.life === undefined || receiver() === undefined) cut()
    }
    return new FaultyChild(child, { before: check, after: check })
  }
}

/** Lets promises run that need no time. */
export async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}
