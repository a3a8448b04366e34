import { keys } from '../keys.ts'
import type { Desired } from '../release.ts'
import { isUnderWay } from '../rollout-words.ts'
import type { NodeProgress, Rollout } from '../rollout.ts'
import type { Expectation, Write } from '../store.ts'
import { backward } from './backward.ts'
import { forward } from './forward.ts'
import { holdWrites } from './hold.ts'
import type { Scene } from './scene.ts'
import { enter } from './take-back.ts'
import { type Moment, Timers } from './timers.ts'
import type { World } from './world.ts'

export interface Decision {
  /** The rollout as it is to be from now on. */
  readonly next: Rollout
  /** What to commit, with the rollout itself; empty when there is nothing to do now. */
  readonly changes: readonly Write[]
  /** Beside what whoever commits has to expect: the rollout as it was, and his right to move it. */
  readonly expect: readonly Expectation[]
  /** For the moment of the next decision. */
  readonly held: ReadonlyMap<string, number>
  /** When to decide again although nothing has changed. */
  readonly againMs: number
}

/**
 * The next step of a rollout that is under way. Pure: it depends on nothing but what the store holds and on the time, so
 * whoever takes over goes on from wherever it was left.
 */
export function decide(rollout: Rollout, world: World, moment: Moment): Decision {
  const timers = new Timers(moment)
  const scene: Scene = { world, timers, stamp: { atMs: moment.wallMs, revision: world.revision } }
  const known = withMembers(rollout, scene)
  const next = known.state === 'reverting' ? backward(known, scene) : forward(known, scene)
  const held = holdWrites(next, world, moment.wallMs)
  const ends = next.state === 'done' && next.requests === undefined ? desire(next, world) : undefined
  const isMoved = next !== rollout || held.length > 0
  const put: Write = { op: 'put', key: keys.rollout(next.tree), value: JSON.stringify(next) }
  return {
    next,
    changes: isMoved ? [put, ...held, ...(ends?.changes ?? [])] : [],
    expect: ends?.expect ?? [],
    held: timers.held,
    againMs: isUnderWay(next) ? timers.againMs : Number.POSITIVE_INFINITY,
  }
}

/** Nodes that were forgotten are no longer waited for; those that came meanwhile are last. */
function withMembers(rollout: Rollout, { world, stamp }: Scene): Rollout {
  const stay = rollout.order.filter((node) => world.nodes.has(node))
  const come = [...world.nodes.keys()].filter((node) => !rollout.order.includes(node))
  if (stay.length === rollout.order.length && come.length === 0) return rollout
  const order = [...stay, ...come]
  const nodes = order.map((node): [string, NodeProgress] => [node, rollout.nodes[node] ?? enter('waiting', stamp)])
  return { ...rollout, order, nodes: Object.fromEntries(nodes) }
}

/** The release is what every node serves from now on, pinned or not. */
function desire({ tree, release, manifest }: Rollout, { desired }: World): Pick<Decision, 'changes' | 'expect'> {
  const key = keys.desired(tree)
  const value: Desired = { release, manifest }
  return {
    changes: [{ op: 'put', key, value: JSON.stringify(value) }],
    expect: [{ key, revision: desired?.revision ?? 0 }],
  }
}
