import { z } from 'zod'
import type { Json } from '../../core/json-patch/json.ts'
import type { HubContext } from '../../hub/context.ts'
import type { Call } from '../../hub/route.ts'
import type { Query } from './lists.ts'
import { ordered } from './shapes.ts'
import type { Asking } from './things.ts'

export const PREFIX = '/api/v3'

type AnyCall = Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'reply'>

/** Filters are named as fields and params are, so any name may come. */
export const zAnyQuery: z.ZodType<Query> = z.record(
  z.string().max(256),
  z.union([z.string().max(4096), z.array(z.string().max(4096)).max(50)]),
)

export function askingOf(hub: HubContext, { caller, request, reply }: AnyCall): Asking {
  return { hub, caller, request, reply }
}

/** Whatever the value is, also a text or null, it is sent as JSON. */
export async function sendJson({ reply }: AnyCall, status: number, value: Json): Promise<undefined> {
  await reply.status(status).type('application/json; charset=utf-8').send(JSON.stringify(value))
  return undefined
}

/** A map, with its members as Go sorts them. */
export async function sendMap(call: AnyCall, value: Json): Promise<undefined> {
  return sendJson(call, 200, ordered(value))
}

export async function sendHead({ reply }: AnyCall): Promise<undefined> {
  await reply.status(200).type('application/json; charset=utf-8').send()
  return undefined
}
