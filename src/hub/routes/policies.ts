import { z } from 'zod'
import type { Policy, PolicyAnswer } from '../../core/api.ts'
import { keys } from '../../core/keys.ts'
import { DEFAULT_STRATEGY } from '../../core/rollout.ts'
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
    handler: async ({ store }, { params }) => {
      const entry = await store.get(keys.policy(params.tree))
      return answerOf(params.tree, entry && (JSON.parse(entry.value) as Policy))
    },
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
    handler: async ({ store, clock }, { params, body, caller }) => {
      const policy: Policy = { strategy: body, author: caller.label, atMs: clock.nowMs() }
      await store.commit({ changes: [{ op: 'put', key: keys.policy(params.tree), value: JSON.stringify(policy) }] })
      return answerOf(params.tree, policy)
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/trees/:tree/policy',
    id: 'deletePolicy',
    summary: 'From now on releases go to every node at once',
    access: ['write:policy/{tree}'],
    params: zTree,
    status: 204,
    handler: async ({ store }, { params }) => {
      await store.commit({ changes: [{ op: 'delete', key: keys.policy(params.tree) }] })
      return undefined
    },
  }),
]

function answerOf(tree: string, policy: Policy | undefined): PolicyAnswer {
  return policy === undefined ? { tree } : { tree, policy, strategy: { ...DEFAULT_STRATEGY, ...policy.strategy } }
}
