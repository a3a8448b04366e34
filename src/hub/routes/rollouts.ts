import { z } from 'zod'
import type { RolloutAnswer } from '../../core/api-rollout.ts'
import { FlotillaError } from '../../core/errors.ts'
import { rolloutSummary, viewOf } from '../../core/rollout-words.ts'
import { rolloutNext } from '../../core/status.ts'
import type { Found, Rollouts } from '../../rollout/rollouts.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zRolloutAnswer, zRolloutRequest } from '../schemas/rollouts.ts'

const zTree = z.strictObject({ tree: zName })

/** Whoever may release may look at what becomes of it, and stop it. */
export const rolloutRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/trees/:tree/rollout',
    id: 'rollout',
    summary: 'The rollout that is under way, or the last one',
    access: ['read:release/{tree}'],
    params: zTree,
    answer: zRolloutAnswer,
    handler: async ({ releases }, { params }) => answerOf(params.tree, await releases.rollouts.get(params.tree)),
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/rollout',
    id: 'startRollout',
    summary: 'Takes a release that was taken back, or something to do once more, to the nodes in waves',
    details: 'A new release starts its rollout itself, in the same step. The body has either `release` or `requests`.',
    access: ['write:release/{tree}'],
    params: zTree,
    body: zRolloutRequest,
    answer: zRolloutAnswer,
    handler: async ({ releases }, { params, body, caller }) => {
      const { tree } = params
      const { release, requests, strategy = {} } = body
      const out = { strategy, author: caller.label }
      if ((release === undefined) === (requests === undefined)) {
        throw new FlotillaError('BAD_REQUEST', 'the body must have either a release or requests')
      }
      if (release !== undefined) return answerOf(tree, await releases.rollOut(tree, release, out))
      return answerOf(tree, await releases.requestInWaves(tree, requests ?? { kind: 'reload' }, out))
    },
  }),
  steering('pause', 'Changes no further node', (rollouts, tree, author) => rollouts.pause(tree, author)),
  steering('resume', 'Goes on after a pause', (rollouts, tree) => rollouts.resume(tree)),
  steering('abort', 'Takes the change back from every node that has it', (rollouts, tree, author) =>
    rollouts.abort(tree, author),
  ),
]

function steering(
  what: 'pause' | 'resume' | 'abort',
  summary: string,
  act: (rollouts: Rollouts, tree: string, author: string) => Promise<Found>,
): Route {
  return route({
    method: 'POST',
    url: `/v1/trees/:tree/rollout/${what}`,
    id: `${what}Rollout`,
    summary,
    access: ['write:release/{tree}'],
    params: zTree,
    answer: zRolloutAnswer,
    handler: async ({ releases, log }, { params, caller }) => {
      const found = await act(releases.rollouts, params.tree, caller.label)
      log.info(`rollout: ${what}`, { tree: params.tree, by: caller.id, release: found.rollout.release })
      return answerOf(params.tree, found)
    },
  })
}

function answerOf(tree: string, found: Found | undefined): RolloutAnswer {
  if (found === undefined) return { tree, revision: 0, summary: `no rollout of ${tree} yet` }
  const { rollout, revision } = found
  return { tree, revision, rollout: viewOf(rollout), summary: rolloutSummary(rollout), next: rolloutNext(rollout) }
}
