import { Mirror } from '../agent/mirror.ts'
import type { Memory } from '../agent/memory.ts'
import { RootElection, type RootElectionOptions } from '../agent/root-election.ts'
import { holderOf } from '../coordination/claims.ts'
import type { Clock } from '../core/clock.ts'
import { type Fence, staleFence } from '../core/coordination/fences.ts'
import { messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import type { Secret } from '../lib/secret.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { type ClusterMembers, peerKeyOf } from './cluster-members.ts'

export interface FilesClusterOptions {
  readonly node: string
  readonly store: Store
  readonly memory: Memory
  readonly members: ClusterMembers
  /** After how long without a sign of life a root has lost its lease. */
  readonly leaseMs: number
  readonly clock: Clock
  readonly log: Logger
}

type Joined = Readonly<Record<string, Readonly<Record<string, string>>>>

/** A child that joined, and what is shown to it. */
export interface JoinedChild {
  readonly url: string
  readonly key: Secret
}

const MEMORY = 'files-children'
const LOOK_MS = 1000
const KEY_MS = 15_000

/** What the trees of a file service are to the other nodes of its cluster. */
export class FilesCluster {
  readonly services: readonly Service[]
  readonly #options: FilesClusterOptions
  readonly #elections = new Set<RootElection>()
  /** Tree → node → URL: also of those that are away. */
  #joined: Joined

  private constructor(options: FilesClusterOptions, joined: Joined) {
    this.#options = options
    this.#joined = joined
    const onChange = (): void => {
      for (const election of this.#elections) election.poke()
    }
    this.services = [new Mirror({ store: options.store, prefixes: [keys.roots], onChange })]
  }

  /** With what was remembered. */
  static async open(options: FilesClusterOptions): Promise<FilesCluster> {
    const text = await options.memory.load(MEMORY)
    return new FilesCluster(options, text === undefined ? {} : (JSON.parse(text) as Joined))
  }

  /** Whether the claim of a fence holds, as the hub has it. Rejects with `STALE_FENCE`, and where the hub cannot be asked. */
  async checkFence(fence: Fence, op: Op): Promise<{ readonly isExclusive: boolean }> {
    const holder = await holderOf(this.#options.store, fence, op)
    if (holder === undefined) throw staleFence(fence)
    return { isExclusive: holder.seats === 1 }
  }

  /** To be run while the tree is served. */
  election(options: Pick<RootElectionOptions, 'tree' | 'url' | 'floor' | 'onLead' | 'onLost'>): RootElection {
    const { node, store, clock, log, leaseMs: ttlMs } = this.#options
    const election = new RootElection({ ...options, node, store, clock, log, ttlMs })
    this.#elections.add(election)
    return election
  }

  /**
   * Runs `feed` for each node that may be fed with the tree, until it is to be fed no more. Who was known once is a child until it is
   * forgotten, or says otherwise: it is owed what it misses while it is away.
   */
  async feedAll(
    tree: string,
    feed: (child: JoinedChild, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#options
    const fed = new Map<string, { readonly of: string; readonly stop: () => Promise<void> }>()
    let key: Secret | undefined
    let askedMs = -Infinity
    try {
      do {
        if (clock.monotonicMs() - askedMs >= KEY_MS) {
          key = (await this.#key({ signal })) ?? key
          askedMs = key === undefined ? -Infinity : clock.monotonicMs()
        }
        if (key === undefined) continue
        const wanted = await this.#childrenOf(tree)
        for (const [node, { of, stop }] of fed) {
          if (of === `${wanted[node]} ${key.reveal()}`) continue
          await stop()
          fed.delete(node)
        }
        for (const [node, url] of Object.entries(wanted)) {
          if (!fed.has(node)) fed.set(node, { of: `${url} ${key.reveal()}`, stop: started({ url, key }, feed) })
        }
      } while (await sleepQuietly(clock, LOOK_MS, signal))
    } finally {
      await Promise.all([...fed.values()].map(async ({ stop }) => stop()))
    }
  }

  async #childrenOf(tree: string): Promise<Readonly<Record<string, string>>> {
    const { members, memory } = this.#options
    const before = this.#joined[tree] ?? {}
    const kept = Object.entries(before).filter(([node]) => members.mayReturn(node, tree))
    const now = Object.fromEntries([...kept, ...members.fed(tree)])
    if (JSON.stringify(now) === JSON.stringify(before)) return now
    this.#joined = { ...this.#joined, [tree]: now }
    await memory.save(MEMORY, JSON.stringify(this.#joined))
    return now
  }

  async #key(op: Op): Promise<Secret | undefined> {
    try {
      return await peerKeyOf(this.#options.store, op)
    } catch (error) {
      this.#options.log.debug('the key of the nodes is not known', { error: messageOf(error) })
      return undefined
    }
  }
}

function started(
  child: JoinedChild,
  feed: (child: JoinedChild, signal: AbortSignal) => Promise<void>,
): () => Promise<void> {
  const over = new AbortController()
  const feeding = feed(child, over.signal)
  return async () => {
    over.abort(new Error('it is fed no more'))
    await feeding
  }
}
