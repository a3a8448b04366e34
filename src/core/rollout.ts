import type { Desired, Request } from './release.ts'
import type { ItemEffect } from './tree.ts'

/*
 * A rollout takes a change to the nodes one wave after the other: drain → stage → apply → prove → undrain → next.
 * While it runs `desired/<tree>` stays what it was, and each node that the change has come to has a pin of its own.
 * At the end one commit makes the release desired and removes the pins; a rollback removes the pins, and every node
 * goes back to what is desired. So whoever reads the store at any moment finds a state that can stay.
 */

/** How a change goes out. Times in milliseconds. */
export interface Strategy {
  /** Nodes of the first wave, and of each one after it. */
  readonly canary: number
  readonly wave: number
  /** On how many nodes an item may be out of service at the same time: lost, drained, loading or failed. */
  readonly maxUnavailable: number
  /** How long a wave must stay proved before the next one begins. */
  readonly soakMs: number
  /** From the pin to the proof. */
  readonly gateTimeoutMs: number
  /** `auto` drains only where the change unloads something. */
  readonly drain: 'auto' | 'always' | 'never'
  /** After every proxy took over a drain: for requests that are under way. */
  readonly drainMs: number
  /** Items that may be failed on a node whose gate is passed, besides those that were failed before. */
  readonly failedMax: number
  readonly freeze: readonly FreezeWindow[]
  readonly samples: readonly Sample[]
}

/** When no wave begins, in UTC. Day 0 is Sunday; times are `HH:MM`; one that ends before it starts goes over midnight. */
export interface FreezeWindow {
  readonly days: readonly number[]
  readonly from: string
  readonly to: string
}

/** A request that the node makes of its own application, and what must come back. */
export interface Sample {
  /** Under the application's base address, such as `/tabledap/x.csv?time`. */
  readonly path: string
  readonly status: number
  /** Must occur in the first 64 KiB of the answer. */
  readonly contains?: string
  readonly timeoutMs: number
}

export const DEFAULT_STRATEGY: Strategy = {
  canary: 1,
  wave: 1,
  maxUnavailable: 1,
  soakMs: 5000,
  gateTimeoutMs: 600_000,
  drain: 'auto',
  drainMs: 1000,
  failedMax: 0,
  freeze: [],
  samples: [],
}

/** Value of `desired/<tree>/<node>`. */
export interface Pin extends Desired {
  /** What put it there: `rollout r12`, or a person. */
  readonly by: string
  readonly samples?: readonly Sample[]
  /** To be done on this node only, once for this pin's revision. */
  readonly requests?: readonly Request[]
}

/** Value of `drain/<node>/<who>`; `who` is `manual` or `rollout-<tree>`. */
export interface Drain {
  readonly tree: string
  /** Item ids; absent for the whole node. */
  readonly items?: readonly string[]
  readonly by: string
  readonly reason: string
  readonly atMs: number
}

/** Value of `node/<node>/proxy/<name>`: a proxy that takes part in drains. */
export interface NodeProxy {
  readonly kind: 'nginx' | 'haproxy'
  /** `failed` keeps the last good configuration, and takes over no drains. */
  readonly state: 'in-step' | 'failed'
  /** Every drain, liveness and placement up to this revision of the store is in force. */
  readonly asOf: number
  readonly error?: string
  readonly atMs: number
}

export type Phase =
  | 'waiting'
  | 'draining'
  /** Pinned: the node stages, applies and proves. */
  | 'applying'
  /** Proved. Held back from clients until the release is exposed. */
  | 'proved'
  | 'done'
  /** It was to go back, and did not prove in time that it did. */
  | 'failed'
  /** Pinned to what is desired: it goes back, and is drained until it proves that. */
  | 'reverting'
  | 'reverted'

export interface NodeProgress {
  readonly phase: Phase
  /** When the phase began, on the wall clock of the hub that runs it. */
  readonly sinceMs: number
  /** What the store had reached when the phase was decided on: the pin or the drain that it waits for is newer. */
  readonly revision: number
  /** Items that were failed on the node before it was touched, at most 100: no fault of the release. */
  readonly failedBefore?: readonly string[]
}

export type RolloutState = 'running' | 'paused' | 'reverting' | 'done' | 'rolled-back' | 'aborted'

/** Value of `rollout/<tree>`. */
export interface Rollout extends Desired {
  readonly tree: string
  /** What the nodes serve before, and go back to. */
  readonly from: Desired
  /** Instead of a release: something every node is to do once more, such as a hard reload, one after the other. */
  readonly requests?: readonly Request[]
  /** What it does to each item. */
  readonly effects: Readonly<Record<string, ItemEffect>>
  /** Nodes are drained as a whole: the items of the tree are nothing that a proxy could keep clients away from. */
  readonly whole?: true
  readonly strategy: Strategy
  readonly state: RolloutState
  /**
   * Whether clients see the new release. Until enough nodes prove it, those that do are held back for the items that differ;
   * then, in one commit, they are let in and the others held back instead: nobody is sent to the new one and then to the old.
   */
  readonly exposed: boolean
  /** Nodes in the order of the waves. */
  readonly order: readonly string[]
  readonly nodes: Readonly<Record<string, NodeProgress>>
  readonly author: string
  readonly startedAtMs: number
  readonly endedAtMs?: number
  /** Why it stands, or why it was taken back, in words for people. */
  readonly reason?: RolloutReason
}

export interface RolloutReason {
  readonly code: string
  readonly message: string
  readonly node?: string
  readonly item?: string
  readonly file?: string
  readonly line?: number
}
