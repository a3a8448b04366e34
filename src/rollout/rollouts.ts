import type { Policy, StrategyRequest } from '../core/api-rollout.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { strategyOf } from '../core/rollout/strategy.ts'
import { type Stamp, takenBack } from '../core/rollout/take-back.ts'
import { rolloutIn, worldOf } from '../core/rollout/world.ts'
import { isUnderWay } from '../core/rollout-words.ts'
import type { Rollout, Strategy } from '../core/rollout.ts'
import type { Expectation, Store, Write } from '../core/store.ts'
import { type Drained, drainByHand, type DrainOptions, undrainByHand, type Undrained } from './hand-drains.ts'
import { newRollout, type StartRequest, startWrites } from './start.ts'
import { notUnderWay, rolloutRunning } from './under-way.ts'

export interface RolloutsOptions {
  readonly store: Store
  readonly clock: Clock
}

/** A rollout that begins with the commit of these changes, which may hold others besides. */
export interface Start {
  readonly rollout: Rollout
  readonly expect: readonly Expectation[]
  readonly changes: readonly Write[]
}

/** A rollout, under way or over, and the revision that last moved it. */
export interface Found {
  readonly rollout: Rollout
  readonly revision: number
}

/** So many times a change is tried again while the service is quicker. */
const ATTEMPTS = 20

/**
 * Starts and steers rollouts; the service of a hub, this one or another, takes them from node to node. Keeps nothing: any
 * number of these may work on one store.
 */
export class Rollouts {
  readonly #store: Store
  readonly #clock: Clock

  constructor({ store, clock }: RolloutsOptions) {
    this.#store = store
    this.#clock = clock
  }

  /** The rollout that is under way, or the last one. */
  async get(tree: string, op: Op = {}): Promise<Found | undefined> {
    const entry = await this.#store.get(keys.rollout(tree), op)
    const rollout = entry && rolloutIn(entry)
    return rollout && { rollout, revision: entry.revision }
  }

  /**
   * For a commit that changes what is desired without a rollout: what it must expect so that none begins meanwhile.
   * Rejects with `ROLLOUT_RUNNING`.
   */
  async idle(tree: string, op: Op = {}): Promise<Expectation> {
    const found = await this.get(tree, op)
    if (found !== undefined && isUnderWay(found.rollout)) throw rolloutRunning(found.rollout)
    return { key: keys.rollout(tree), revision: found?.revision ?? 0 }
  }

  /**
   * How a change of the tree goes out: as asked, else as the tree's policy says. Undefined: to every node at once.
   * Rejects with `BAD_REQUEST`.
   */
  async strategy(tree: string, asked: StrategyRequest | undefined, op: Op = {}): Promise<Strategy | undefined> {
    if (asked === 'all-at-once') return undefined
    const policy = await this.policy(tree, op)
    if (asked === undefined && policy === undefined) return undefined
    return strategyOf(policy?.strategy ?? {}, asked ?? {})
  }

  /**
   * What to commit so that a rollout begins: a release and its rollout can be one commit. Where the rollout before was
   * taken back, its reason is kept under `outcome/`. Rejects with `ROLLOUT_RUNNING`, `TOO_LARGE`, and `BAD_REQUEST`
   * where nothing is desired yet: a first release goes to every node at once.
   */
  async startTxn(request: StartRequest, op: Op = {}): Promise<Start> {
    const { tree, from } = request
    const before = await this.get(tree, op)
    if (before !== undefined && isUnderWay(before.rollout)) throw rolloutRunning(before.rollout)
    const { entries, revision } = await this.#store.list(keys.nodes, op)
    const rollout = newRollout(request, worldOf(tree, entries, revision), this.#clock.nowMs())
    const expect = [
      { key: keys.rollout(tree), revision: before?.revision ?? 0 },
      { key: keys.desired(tree), revision: from.revision },
    ]
    return { rollout, expect, changes: startWrites(rollout, before?.rollout) }
  }

  /** Rejects as `startTxn` does, and with `LOST_RACE` when something else was quicker. */
  async start(request: StartRequest, op: Op = {}): Promise<Found> {
    const { rollout, expect, changes } = await this.startTxn(request, op)
    const commit = await this.#store.commit({ expect, changes }, op)
    if (commit.committed) return { rollout, revision: commit.revision }
    throw new FlotillaError('LOST_RACE', `another change of ${request.tree} was quicker; nothing was changed by you`)
  }

  /**
   * No further node is touched; those that are at it come to their end, and go back if they fail. Does nothing to one that
   * is paused already or going back. Rejects with `NOT_FOUND`, and with `BAD_REQUEST` when none is under way.
   */
  async pause(tree: string, author: string, op: Op = {}): Promise<Found> {
    return this.#steer(tree, op, (rollout) => {
      if (rollout.state !== 'running') return rollout
      return { ...rollout, state: 'paused', reason: { code: 'PAUSED', message: `paused by ${author}` } }
    })
  }

  /** Does nothing to one that is not paused. Rejects as `pause` does. */
  async resume(tree: string, op: Op = {}): Promise<Found> {
    return this.#steer(tree, op, (rollout) => {
      if (rollout.state !== 'paused') return rollout
      const { reason: _over, ...others } = rollout
      return { ...others, state: 'running' }
    })
  }

  /** The nodes that were touched go back to what is desired. Does nothing to one that goes back. Rejects as `pause` does. */
  async abort(tree: string, author: string, op: Op = {}): Promise<Found> {
    return this.#steer(tree, op, (rollout, stamp) => {
      if (rollout.state === 'reverting') return rollout
      return takenBack(rollout, { code: 'ABORTED', message: `aborted by ${author}` }, stamp)
    })
  }

  /** How releases of the tree go out unless told otherwise; undefined: to every node at once. */
  async policy(tree: string, op: Op = {}): Promise<Policy | undefined> {
    const entry = await this.#store.get(keys.policy(tree), op)
    return entry && (JSON.parse(entry.value) as Policy)
  }

  /** Settings over the defaults; undefined for every node at once. Rejects with `BAD_REQUEST`. */
  async setPolicy(
    tree: string,
    strategy: Partial<Strategy> | undefined,
    author: string,
    op: Op = {},
  ): Promise<Policy | undefined> {
    if (strategy !== undefined) strategyOf(strategy)
    const policy: Policy | undefined = strategy && { strategy, author, atMs: this.#clock.nowMs() }
    const key = keys.policy(tree)
    const change: Write =
      policy === undefined ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(policy) }
    await this.#store.commit({ changes: [change] }, op)
    return policy
  }

  /**
   * Keeps new requests away from a node, in place of what was drained there by hand before. In force at a proxy whose
   * `asOf` is not before the revision. Rejects with `NOT_FOUND` for a node that has not joined or is known not to have the
   * items, and with `BAD_REQUEST` for one that is known not to serve the tree.
   */
  async drain(node: string, options: DrainOptions, op: Op = {}): Promise<Drained> {
    return drainByHand({ store: this.#store, clock: this.#clock }, node, options, op)
  }

  /** Lifts what was drained by hand; what a rollout drains stays. Rejects with `NOT_FOUND` for a node that has not joined. */
  async undrain(node: string, op: Op = {}): Promise<Undrained> {
    return undrainByHand(this.#store, node, op)
  }

  /** Changes the rollout that is under way, again and again while the service is quicker. */
  async #steer(tree: string, op: Op, change: (rollout: Rollout, stamp: Stamp) => Rollout): Promise<Found> {
    const key = keys.rollout(tree)
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const found = await this.get(tree, op)
      if (found === undefined || !isUnderWay(found.rollout)) throw notUnderWay(tree, found?.rollout)
      const rollout = change(found.rollout, { atMs: this.#clock.nowMs(), revision: found.revision })
      if (rollout === found.rollout) return found
      const put: Write = { op: 'put', key, value: JSON.stringify(rollout) }
      const commit = await this.#store.commit({ expect: [{ key, revision: found.revision }], changes: [put] }, op)
      if (commit.committed) return { rollout, revision: commit.revision }
    }
    throw new FlotillaError('LOST_RACE', `the rollout of ${tree} moves on all the time; try again`)
  }
}
