import { FlotillaError } from '../core/errors.ts'
import { rolloutSummary } from '../core/rollout-words.ts'
import type { Rollout } from '../core/rollout.ts'
import { treeOption } from '../core/status.ts'

/** Why a change of a tree has to wait. */
export function rolloutRunning(rollout: Rollout): FlotillaError {
  const option = treeOption(rollout.tree)
  const what = `${rolloutSummary(rollout)} (started by ${rollout.author})`
  return new FlotillaError('ROLLOUT_RUNNING', `${rollout.tree} is being changed: ${what}`, {
    hint: `Wait with \`flotilla rollout --watch${option}\`, or stop it with \`flotilla rollout abort${option}\`.`,
  })
}

/** Why a rollout cannot be steered. */
export function notUnderWay(tree: string, rollout: Rollout | undefined): FlotillaError {
  if (rollout === undefined) return new FlotillaError('NOT_FOUND', `there is no rollout of ${tree}`)
  return new FlotillaError('BAD_REQUEST', `no rollout of ${tree} is under way: ${rolloutSummary(rollout)}`)
}
