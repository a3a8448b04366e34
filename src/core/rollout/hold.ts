import { keys } from '../keys.ts'
import type { Desired } from '../release.ts'
import { isUnderWay, subjectOf } from '../rollout-words.ts'
import type { Drain, Pin, Rollout } from '../rollout.ts'
import type { Write } from '../store.ts'
import { drainedItems, isDraining } from './drains.ts'
import { phaseOf } from './scene.ts'
import { type At, drainer, type World } from './world.ts'

/** Begins `by` of every pin that a rollout makes. */
const OURS = 'rollout '
const GOING_BACK = 'going back'

/**
 * What must be written so that the store holds the pins and drains that go with this state of the rollout, and no others
 * of it. They follow from the phases alone: whatever was written before, by whom, and however far it got.
 */
export function holdWrites(rollout: Rollout, world: World, atMs: number): readonly Write[] {
  const nodes = [...new Set([...rollout.order, ...world.pins.keys(), ...world.drains.keys()])].toSorted()
  const drain = isUnderWay(rollout) && isDraining(rollout, world) ? drainOf(rollout) : undefined
  const pins = nodes.map((node) => pinWrite(rollout, world, node))
  const drains = nodes.map((node) => drainWrite(rollout, world, node, drain && { ...drain, atMs }))
  return [...pins, ...drains].filter((write) => write !== undefined)
}

/** What a node goes back to: what is desired, whatever of it was proved there before. */
export function baseOf(rollout: Rollout, { desired }: World): Desired {
  const { release, manifest } = desired ?? rollout.from
  return { release, manifest }
}

function pinWrite(rollout: Rollout, world: World, node: string): Write | undefined {
  const key = keys.pin(rollout.tree, node)
  const [before, after] = [world.pins.get(node), pinOf(rollout, world, node)]
  if (after === undefined) return before?.by.startsWith(OURS) === true ? { op: 'delete', key } : undefined
  return putUnlessSame(key, after, before)
}

function pinOf(rollout: Rollout, world: World, node: string): Pin | undefined {
  const { release, manifest, requests, strategy } = rollout
  const side = sideOf(rollout, node)
  const by = `${OURS}${subjectOf(rollout)}`
  if (side === undefined) return undefined
  if (side === 'base') return { ...baseOf(rollout, world), by: `${by}, ${GOING_BACK}` }
  const samples = strategy.samples.length > 0 && { samples: strategy.samples }
  return { release, manifest, by, ...samples, ...(requests !== undefined && { requests }) }
}

/** What a node is pinned to. On the way back, one that is being drained keeps what it serves until that is in force. */
function sideOf(rollout: Rollout, node: string): 'release' | 'base' | undefined {
  if (!isUnderWay(rollout) || !rollout.order.includes(node)) return undefined
  const phase = phaseOf(rollout, node)
  if (phase === 'reverting' || phase === 'reverted' || phase === 'failed') return 'base'
  const keeps = phase === 'draining' && rollout.state === 'reverting'
  return keeps || phase === 'applying' || phase === 'proved' ? 'release' : undefined
}

/** The same for every node that is drained. */
function drainOf(rollout: Rollout): Omit<Drain, 'atMs'> {
  const { tree, order } = rollout
  const items = drainedItems(rollout, order.length)
  const subject = subjectOf(rollout)
  return { tree, ...(items !== undefined && { items }), by: `${OURS}${subject}`, reason: `${subject} is on its way` }
}

function drainWrite(rollout: Rollout, world: World, node: string, drain: Drain | undefined): Write | undefined {
  const key = keys.drain(node, drainer(rollout.tree))
  const before = world.drains.get(node)
  if (drain === undefined || !isHeldBack(rollout, node)) return before && { op: 'delete', key }
  return putUnlessSame(key, { ...drain, atMs: before?.atMs ?? drain.atMs }, before)
}

function putUnlessSame<T extends object>(key: string, after: T, before: At<T> | undefined): Write | undefined {
  const value = JSON.stringify(after)
  const same = before !== undefined && value === JSON.stringify({ ...before, revision: undefined })
  return same ? undefined : { op: 'put', key, value }
}

/**
 * A node gets requests for what changes only while it stands on the side that clients see: so nobody is sent to the new
 * release and then to the old one. What asks for no other content has no sides.
 */
function isHeldBack(rollout: Rollout, node: string): boolean {
  if (!rollout.order.includes(node)) return false
  const phase = phaseOf(rollout, node)
  if (rollout.requests !== undefined) return phase === 'draining' || phase === 'applying'
  return rollout.exposed ? phase !== 'proved' : phase !== 'waiting' && phase !== 'reverted'
}
