import type { ReloadRequest } from './api.ts'
import type { Drain, Rollout, RolloutReason, RolloutState, Strategy } from './rollout.ts'
import type { ItemEffect } from './tree.ts'

/** What the hub's HTTP API says of rollouts, policies and drains. */

/**
 * How a change goes out: to every node at once, or in waves with these settings over those of the tree's policy. Where
 * a request does not say, the policy does; without one it goes to every node at once.
 */
export type StrategyRequest = 'all-at-once' | Partial<Strategy>

/** A drain without the list of its datasets, which may be long. */
export interface DrainView extends Omit<Drain, 'items'> {
  /** How many datasets; absent for the whole node. */
  readonly items?: number | undefined
}

/** Value of `outcome/<tree>/<number>`, and what an answer says of a release that is not among those that were desired. */
export interface Outcome {
  readonly state: RolloutState
  readonly atMs: number
  readonly reason?: RolloutReason | undefined
}

/** A rollout without the list of what it does to each dataset, which may be long. */
export interface RolloutView extends Omit<Rollout, 'effects'> {
  readonly counts: Readonly<Record<ItemEffect, number>>
}

export interface RolloutAnswer {
  readonly tree: string
  /** Of the store: grows with every step. 0 when there never was one. */
  readonly revision: number
  readonly rollout?: RolloutView | undefined
  /** One sentence for people. */
  readonly summary: string
  /** What to type next. */
  readonly next?: string | undefined
}

/** Body of POST /v1/trees/:tree/rollout: one of a release that was taken back, and something to do once more. */
export interface RolloutRequest {
  readonly release?: number | undefined
  readonly requests?: ReloadRequest | undefined
  readonly strategy?: Partial<Strategy> | undefined
}

/** Value of `policy/<tree>`: releases of the tree go out in waves, with these settings over the defaults. */
export interface Policy {
  readonly strategy: Partial<Strategy>
  readonly author: string
  readonly atMs: number
}

export interface PolicyAnswer {
  readonly tree: string
  /** Absent: releases go to every node at once. */
  readonly policy?: Policy | undefined
  /** With every default filled in. */
  readonly strategy?: Strategy | undefined
}

/** Body of PUT /v1/nodes/:node/drain. */
export interface DrainRequest {
  readonly tree?: string | undefined
  /** Absent: the whole node. */
  readonly datasets?: readonly string[] | undefined
  readonly reason?: string | undefined
}

export interface DrainAnswer {
  readonly node: string
  /** In force at a proxy whose `asOf` is not before it. */
  readonly revision: number
  readonly drain?: Drain | undefined
  /** There was nothing to end: nothing was written. */
  readonly unchanged?: true | undefined
}

/** What a change would do, node by node. */
export interface Plan {
  /** Absent: to every node at once. */
  readonly strategy?: Strategy | undefined
  /** Names of nodes, wave by wave; one wave with all of them when it goes to every node at once. */
  readonly waves: readonly (readonly string[])[]
  /** Nodes that are lost, and take it up when they are back. */
  readonly lost: readonly string[]
  /** How many of the datasets are drained at the proxies before a node changes; 0 where there is no proxy to tell. */
  readonly drained: number
  readonly proxies: readonly string[]
  /** By dataset, at most 100, and node: how long it took to load the last time, in ms. */
  readonly loads: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** From the loads that are known; absent where none is. */
  readonly estimateMs?: number | undefined
  /** No wave begins before, for it is frozen. */
  readonly frozenUntilMs?: number | undefined
  /** What is in the way now. */
  readonly running?: string | undefined
}
