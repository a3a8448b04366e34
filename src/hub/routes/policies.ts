import { z } from 'zod'
import type { Policy, PolicyAnswer } from '../../core/api-rollout.ts'
import { strategyOf } from '../../core/rollout/strategy.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zPolicyAnswer, zStrategyPart } from '../schemas/rollouts.ts'

const zTree = z.strictObject({ tree: zName })

export const policyRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/trees/:tree/policy',
    id: 'policy',
    summary: 'How releases of the tree go out unless they say it themselves',
    access: ['read:release/{tree}'],
    params: zTree,
    answer: zPolicyAnswer,
    handler: async ({ releases }, { params }) => answerOf(params.tree, await releases.rollouts.policy(params.tree)),
  }),
  route({
    method: 'PUT',
    url: '/v1/trees/:tree/policy',
    id: 'putPolicy',
    summary: 'From now on releases go out in waves, with these settings over the defaults',
    access: ['write:policy/{tree}'],
    params: zTree,
    body: zStrategyPart,
    answer: zPolicyAnswer,
    handler: async ({ releases }, { params, body, caller }) =>
      answerOf(params.tree, await releases.rollouts.setPolicy(params.tree, body, caller.label)),
  }),
  route({
    method: 'DELETE',
    url: '/v1/trees/:tree/policy',
    id: 'deletePolicy',
    summary: 'From now on releases go to every node at once',
    access: ['write:policy/{tree}'],
    params: zTree,
    status: 204,
    handler: async ({ releases }, { params, caller }) => {
      await releases.rollouts.setPolicy(params.tree, undefined, caller.label)
      return undefined
    },
  }),
]

function answerOf(tree: string, policy: Policy | undefined): PolicyAnswer {
  return policy === undefined ? { tree } : { tree, policy, strategy: strategyOf(policy.strategy) }
}
