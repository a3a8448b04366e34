import { setImmediate } from 'node:timers/promises'
import { RootElection, type RootElectionOptions } from '../../src/agent/root-election.ts'
import { electedRoot, isRootNow } from '../../src/app/files-roots.ts'
import { silent } from '../../src/core/log.ts'
import type { Child } from '../../src/core/push/child.ts'
import type { AckLevel } from '../../src/core/push/ack.ts'
import type { Conditions, OpenedFile, PutResult } from '../../src/core/files/tree-files.ts'
import type { Service } from '../../src/core/service.ts'
import type { Store } from '../../src/core/store.ts'
import { supervise } from '../../src/lib/supervise.ts'
import { adoption } from '../../src/outbox/adopt.ts'
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

type ElectionOptions = Pick<RootElectionOptions, 'tree' | 'url' | 'floor' | 'onLead' | 'onLost'>

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
  tree = new MemoryTree()
  disk: LedgerDisk
  #disks = 1
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
    const elected = this.#isRoot ? this.#elected(ledger, () => distribution.onParent()) : undefined
    const election = elected?.election
    const receiver: TreeReceiver = new TreeReceiver({
      ledger: async () => ledger,
      files: plain,
      parts: new MemoryParts(plain),
      index: this.tree,
      isRoot: false,
      ...(election !== undefined && { roots: { tree: TREE, election } }),
      deep: async (keys, waitMs, op) => distribution.deep(keys, waitMs, op),
      below: () => distribution.below,
      isLeaf: () => distribution.children().length === 0,
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
        files: { open: async (key) => this.#fileOf(name, key), close: async () => undefined },
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
    const adopting = adoption({
      tree: TREE,
      index: this.tree,
      ledger,
      turns,
      isRoot: () => isRootNow(ledger, election),
      onRecorded: () => distribution.onRecorded(),
      clock,
    })
    const services = [...distribution.services, ...(elected === undefined ? [] : [elected.service, adopting])]
    const over = supervise(services, { clock, log: silent, random, signal: stop.signal, maxDelayMs: 1000 })
    this.life = { stop, over, receiver, election, distribution, files, ledger }
  }

  /** Whoever speaks to it hears nothing from then on; its lease ends by itself. */
  kill(): void {
    const { life } = this
    this.life = undefined
    life?.stop.abort(new Error('killed'))
  }

  /** It has lost all that it had, and is started with an empty disk. */
  reinstall(): void {
    this.kill()
    this.tree = new MemoryTree()
    this.disk = new LedgerDisk(`ledger-${this.name}-${++this.#disks}`, 1)
    this.start()
  }

  /** Another program puts a file into its folder. */
  async drop(key: string, content: string): Promise<void> {
    this.tree.put(key, Buffer.from(content))
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

  /** As the product makes it, over a store that is not always there. */
  #elected(ledger: MemoryLedger, onChange: () => void): { election: RootElection; service: Service } {
    const { clock } = this.#world
    let made: RootElection | undefined
    const cluster = {
      election: (options: ElectionOptions) =>
        (made = new RootElection({
          ...options,
          node: this.name,
          store: this.#storeSeen(),
          clock,
          log: silent,
          ttlMs: LEASE_MS,
        })),
    }
    const listening = Promise.resolve(`http://${this.name}:1`)
    const { service } = electedRoot({ tree: TREE, ledger, onChange, listening, cluster })
    if (made === undefined) throw new Error('no election')
    return { election: made, service }
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

  async #fileOf(name: string, key: string): Promise<OpenedFile | undefined> {
    const { cuts, nodes } = this.#world
    const node = nodes.get(name)
    const isCut = cuts.has(`${this.name} ${name}`) || cuts.has(`${name} ${this.name}`)
    if (node?.life === undefined || isCut) cut()
    return await new MemoryTreeFiles(node.tree).open(key)
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
        get isLeaf() {
          return now().isLeaf
        },
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
