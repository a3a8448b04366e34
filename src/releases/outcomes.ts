import type { Outcome } from '../core/api-rollout.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { baseOf, type ReleaseRecord } from '../core/release.ts'
import { outcomeOf } from '../core/rollout-words.ts'
import type { MakeDeps } from './make-release.ts'

/**
 * By number: how it stands with those of `releases`, newest first, that are on their way, and how it ended for those that
 * were taken back and did not come to be desired later.
 */
export async function outcomesOf(
  { store, history, rollouts }: Pick<MakeDeps, 'store' | 'history' | 'rollouts'>,
  tree: string,
  releases: readonly ReleaseRecord[],
  op: Op,
): Promise<ReadonlyMap<number, Outcome>> {
  const [desired, { entries }, last] = await Promise.all([
    history.desired(tree, op),
    store.list(keys.outcomes(tree), op),
    rollouts.get(tree, op),
  ])
  const outcomes = new Map(entries.map(({ key, value }) => [Number(key.split('/')[2]), JSON.parse(value) as Outcome]))
  if (last !== undefined && last.rollout.requests === undefined) {
    outcomes.set(last.rollout.release, outcomeOf(last.rollout))
  }
  let next = desired?.release ?? 0
  const found = new Map<number, Outcome>()
  for (const record of releases) {
    const outcome = outcomes.get(record.number)
    if (record.number === next) next = baseOf(record)
    else if (outcome !== undefined) found.set(record.number, outcome)
  }
  return found
}
