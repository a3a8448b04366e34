import type { StatusAnswer } from '../core/api.ts'
import { keys } from '../core/keys.ts'
import type { Drain, Pin, Rollout } from '../core/rollout.ts'
import { viewOf } from '../core/rollout-words.ts'
import type { Store } from '../core/store.ts'

/** What moves in a tree besides what is desired; members without anything are left out. */
export async function underwayOf(
  store: Store,
  tree: string,
): Promise<Pick<StatusAnswer, 'rollout' | 'pins' | 'drains'>> {
  const [entry, pinned, drained] = await Promise.all([
    store.get(keys.rollout(tree)),
    store.list(keys.pins(tree)),
    store.list(keys.drains),
  ])
  const pins = pinned.entries.map(({ key, value }) => [key.split('/')[2] ?? '', (JSON.parse(value) as Pin).release])
  const drains = new Map<string, Drain[]>()
  for (const { key, value } of drained.entries) {
    const node = key.split('/')[1] ?? ''
    const drain = JSON.parse(value) as Drain
    if (drain.items === undefined || drain.tree === tree) drains.set(node, [...(drains.get(node) ?? []), drain])
  }
  return {
    ...(entry && { rollout: viewOf(JSON.parse(entry.value) as Rollout) }),
    ...(pins.length > 0 && { pins: Object.fromEntries(pins) as Record<string, number> }),
    ...(drains.size > 0 && { drains: Object.fromEntries(drains) }),
  }
}

/** Why a node gets no new requests for a dataset; undefined where it gets them. */
export function drainedFor(drains: readonly Drain[], dataset: string): string | undefined {
  const drain = drains.find(({ items }) => items === undefined || items.includes(dataset))
  return drain && `${drain.reason} (${drain.by})`
}
