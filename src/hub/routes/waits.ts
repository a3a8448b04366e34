import { z } from 'zod'
import type { WaitAnswer } from '../../core/api-coordination.ts'
import { type Condition, placesOf, type Subject } from '../../core/coordination/conditions.ts'
import { parseLinearPattern } from '../../core/coordination/linear-pattern.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { Json } from '../../core/json-patch/json.ts'
import { keys } from '../../core/keys.ts'
import { allows } from '../../core/scope.ts'
import type { Caller } from '../caller.ts'
import { parseJson } from '../json-body.ts'
import type { HubContext } from '../context.ts'
import type { HubLimits } from '../limits.ts'
import { observe } from '../observe.ts'
import { type Call, type Route, route } from '../route.ts'
import { zFlagText, zName } from '../schemas/common.ts'
import { zWaitAnswer, zWaitText } from '../schemas/coordination.ts'

const zProfile = z.strictObject({ name: zName })
const zNode = z.strictObject({ node: zName })
const condition = {
  equals: z.string().max(16_384).optional(),
  matches: z.string().optional(),
  exists: zFlagText.optional(),
  absent: zFlagText.optional(),
}
const zKey = z.string().min(1).max(256)
const zProfileWait = z.strictObject({
  param: zKey.optional(),
  meta: zKey.optional(),
  ...condition,
  waitMs: zWaitText,
})
const zNodeWait = z.strictObject({ meta: zKey, ...condition, waitMs: zWaitText })
type Asked = z.output<typeof zProfileWait>

const DETAILS =
  'One condition: `equals` a JSON value, `matches` a regular expression (in a text of up to 1,024 characters, or in the JSON of anything else), `exists=true` or ' +
  '`absent=true`. Answers at once when it is so, by the change that makes it so, or with `met: false` when `waitMs` are over.'

export const waitRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/profiles/:name/wait',
    id: 'waitForProfile',
    summary: 'Waits until a param or a member of the meta of a profile is what is asked for',
    details: DETAILS,
    access: {
      says: '`read:profile/{name}/params/{param}` or `read:profile/{name}/meta/{meta}`',
      check: (caller, { params, query }) => checkSubject(caller, (params as { name: string }).name, query as Asked),
    },
    params: zProfile,
    query: zProfileWait,
    answer: zWaitAnswer,
    handler: (hub, call) => waitFor(hub, call, keys.profile(call.params.name)),
  }),
  route({
    method: 'GET',
    url: '/v1/profiles/:name/wait/events',
    id: 'observeProfileWait',
    summary: 'The same as server-sent events: how it stands whenever it is different, up to the one with `met: true`',
    details: DETAILS,
    access: {
      says: '`read:profile/{name}/params/{param}` or `read:profile/{name}/meta/{meta}`',
      check: (caller, { params, query }) => checkSubject(caller, (params as { name: string }).name, query as Asked),
    },
    params: zProfile,
    query: zProfileWait,
    answerType: 'text/event-stream',
    handler: async (hub, call) => {
      const { subject, wanted, places } = askedOf(call.query, hub.limits)
      const key = keys.profile(call.params.name)
      await observe(hub, { ...call, places }, 'wait', async (last, wait) =>
        hub.board.untilKey(
          key,
          (entry) => {
            const answer = answerOf(hub.valueWaits.look(entry, subject, wanted))
            const text = JSON.stringify(answer)
            return text === last ? undefined : { text, isLast: answer.met }
          },
          wait,
        ),
      )
      return undefined
    },
  }),
  route({
    method: 'GET',
    url: '/v1/nodes/:node/meta/wait',
    id: 'waitForNode',
    summary: 'Waits until something that a node shows is what is asked for',
    details: DETAILS,
    access: ['read:node/{node}/meta'],
    params: zNode,
    query: zNodeWait,
    answer: zWaitAnswer,
    handler: (hub, call) => waitFor(hub, call, keys.meta(call.params.node)),
  }),
]

async function waitFor(hub: HubContext, call: Call<unknown, Asked, unknown>, key: string): Promise<WaitAnswer> {
  const { waitMs = 0 } = call.query
  const { subject, wanted, places } = askedOf(call.query, hub.limits)
  const { caller, reply } = call
  return hub.waits.within({ caller, reply, places }, waitMs, (wait) =>
    hub.valueWaits.until(key, subject, wanted, wait).then(answerOf),
  )
}

function askedOf(query: Asked, limits: HubLimits) {
  const wanted = conditionOf(query, limits)
  return { subject: subjectOf(query), wanted, places: placesOf(wanted) }
}

function checkSubject({ scopes }: Caller, name: string, asked: Asked): void {
  const subject = subjectOf(asked)
  const key = `${keys.profile(name)}/${subject.in}/${encodeURIComponent(subject.key)}`
  if (allows(scopes, 'read', key)) return
  throw new FlotillaError('FORBIDDEN', `your token has no right to read ${key}`, {
    hint: `It would need the scope read:${key}`,
  })
}

function subjectOf({ param, meta }: Pick<Asked, 'param' | 'meta'>): Subject {
  if (param !== undefined && meta === undefined) return { in: 'params', key: param }
  if (meta !== undefined && param === undefined) return { in: 'meta', key: meta }
  throw new FlotillaError('BAD_REQUEST', 'the query must name either a param or a member of meta')
}

function conditionOf({ equals, matches, exists, absent }: Omit<Asked, 'param' | 'meta'>, limits: HubLimits): Condition {
  const wanted: Condition[] = []
  if (equals !== undefined) wanted.push({ is: 'equals', value: jsonOf(equals, limits) })
  if (matches !== undefined) wanted.push({ is: 'matches', pattern: parseLinearPattern(matches) })
  if (exists === true) wanted.push({ is: 'exists' })
  if (absent === true) wanted.push({ is: 'absent' })
  const [only, ...more] = wanted
  if (only !== undefined && more.length === 0) return only
  throw new FlotillaError('BAD_REQUEST', 'the query must have one of equals, matches, exists=true and absent=true')
}

/** As exact as a body: what no value can be would be waited for in vain. */
function jsonOf(text: string, { jsonDepth: depth, jsonMembers: members }: HubLimits): Json {
  try {
    return parseJson(Buffer.from(text), { depth, members }) as Json
  } catch (error) {
    throw new FlotillaError('BAD_REQUEST', 'what `equals` names is no JSON that a value can be', {
      cause: error,
      hint: 'A text stands in double quotes there.',
    })
  }
}

function answerOf({ met, revision, value }: WaitAnswer): WaitAnswer {
  return { met, revision, ...(value !== undefined && { value }) }
}
