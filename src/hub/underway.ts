import type { StatusAnswer } from '../core/api.ts'
import type { DrainView } from '../core/api-rollout.ts'
import { keys } from '../core/keys.ts'
import type { Drain, Pin, Rollout } from '../core/rollout.ts'
import { viewOf } from '../core/rollout-words.ts'
import type { Store } from '../core/store.ts'

/** What moves in a tree besides what is desired. */
interface Underway {
  readonly rollout: Rollout | undefined
  /** Release by node. */
  readonly pins: ReadonlyMap<string, number>
  /** By node. */
  readonly drains: ReadonlyMap<string, readonly Drain[]>
}

export async function underwayOf(store: Store, tree: string): Promise<Underway> {
  const [entry, pinned, drained] = await Promise.all([
    store.get(keys.rollout(tree)),
    store.list(keys.pins(tree)),
    store.list(keys.drains),
  ])
  const pins = pinned.entries.map(({ key, value }): [string, number] => [
    key.split('/')[2] ?? '',
    (JSON.parse(value) as Pin).release,
  ])
  const drains = new Map<string, Drain[]>()
  for (const { key, value } of drained.entries) {
    const node = key.split('/')[1] ?? ''
    const drain = JSON.parse(value) as Drain
    if (drain.items === undefined || drain.tree === tree) drains.set(node, [...(drains.get(node) ?? []), drain])
  }
  return { rollout: entry && (JSON.parse(entry.value) as Rollout), pins: new Map(pins), drains }
}

/** The part of a status that tells of it; members without anything are left out. */
export function underwayView({ rollout, pins, drains }: Underway): Pick<StatusAnswer, 'rollout' | 'pins' | 'drains'> {
  const views = [...drains].map(([node, all]): [string, readonly DrainView[]] => [node, all.map(drainView)])
  return {
    ...(rollout && { rollout: viewOf(rollout) }),
    ...(pins.size > 0 && { pins: Object.fromEntries(pins) }),
    ...(drains.size > 0 && { drains: Object.fromEntries(views) }),
  }
}

function drainView({ items, ...drain }: Drain): DrainView {
  return items === undefined ? drain : { ...drain, items: items.length }
}

/** Why a node gets no new requests for a dataset; undefined where it gets them. */
export function drainedFor(drains: readonly Drain[], dataset: string): string | undefined {
  const drain = drains.find(({ items }) => items === undefined || items.includes(dataset))
  return drain && `${drain.reason} (${drain.by})`
}
