import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Desired, Request } from '../core/release.ts'
import { orderOf } from '../core/rollout/order.ts'
import { NODES_MAX } from '../core/rollout/strategy.ts'
import { enter } from '../core/rollout/take-back.ts'
import type { World } from '../core/rollout/world.ts'
import { outcomeOf } from '../core/rollout-words.ts'
import type { Rollout, Strategy } from '../core/rollout.ts'
import { STORE_LIMITS, type Write } from '../core/store.ts'
import type { ItemEffect, TreeKind } from '../core/tree.ts'

export interface StartRequest {
  readonly tree: string
  /** What is to go out; for `requests`, what is desired now. */
  readonly release: Desired
  /** What is desired now, and the revision that made it so: the commit expects it. */
  readonly from: Desired & { readonly revision: number }
  /** What it does to each item. */
  readonly effects: Readonly<Record<string, ItemEffect>>
  readonly drains?: TreeKind['drains'] | undefined
  /** Instead of a release: what every node is to do once more. */
  readonly requests?: readonly Request[] | undefined
  readonly strategy: Strategy
  readonly author: string
}

/** The rollout is written with every step, and grows with the nodes. */
const BYTES_MAX = STORE_LIMITS.valueBytes * 0.7
/** What the nodes of one wave are told is one commit, with the rollout and with drains. */
const WAVE_BYTES_MAX = STORE_LIMITS.txnBytes * 0.3

/** A rollout before its first step. Throws `BAD_REQUEST`, `TOO_LARGE`. */
export function newRollout(request: StartRequest, world: World, atMs: number): Rollout {
  const { tree, release, from, effects, drains, requests, strategy, author } = request
  if (from.revision === 0) {
    throw new FlotillaError('BAD_REQUEST', `the first release of ${tree} has nothing to go back to`, {
      hint: 'It goes to every node at once.',
    })
  }
  if (world.nodes.size > NODES_MAX) {
    const message = `a rollout goes to at most ${NODES_MAX} nodes; ${tree} has ${world.nodes.size}`
    throw new FlotillaError('TOO_LARGE', message)
  }
  const order = orderOf({ ...world, desired: from })
  const stamp = { atMs, revision: world.revision }
  const rollout: Rollout = {
    release: release.release,
    manifest: release.manifest,
    tree,
    from: { release: from.release, manifest: from.manifest },
    ...(requests !== undefined && { requests }),
    effects,
    ...(drains === 'nodes' && { whole: true }),
    strategy,
    state: 'running',
    exposed: false,
    order,
    nodes: Object.fromEntries(order.map((node) => [node, enter('waiting', stamp)])),
    author,
    startedAtMs: atMs,
  }
  checkSize(rollout)
  return rollout
}

function checkSize(rollout: Rollout): void {
  const { effects, requests = [], strategy, order } = rollout
  if (bytesOf(rollout) > BYTES_MAX) {
    throw new FlotillaError('TOO_LARGE', `the change touches ${Object.keys(effects).length} datasets: too many`, {
      hint: 'Make it with --all-at-once, or in parts.',
    })
  }
  const nodes = Math.min(Math.max(strategy.canary, strategy.wave), order.length)
  if (nodes * bytesOf({ requests, samples: strategy.samples }) <= WAVE_BYTES_MAX) return
  throw new FlotillaError('TOO_LARGE', `a wave of ${nodes} nodes is too large for what each of them is to be told`, {
    hint: 'Make the waves smaller, or ask for fewer datasets at a time.',
  })
}

function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value))
}

/** Puts the rollout in the place of the one before, and keeps why that one's release was taken back. */
export function startWrites(rollout: Rollout, before: Rollout | undefined): readonly Write[] {
  const { tree } = rollout
  const start: Write = { op: 'put', key: keys.rollout(tree), value: JSON.stringify(rollout) }
  if (before === undefined || before.state === 'done' || before.requests !== undefined) return [start]
  const value = JSON.stringify(outcomeOf(before))
  return [start, { op: 'put', key: keys.outcome(tree, before.release), value }]
}
