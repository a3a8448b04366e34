import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ChangeAnswer, TransactionAnswer } from '../core/api-profiles.ts'
import { FlotillaError } from '../core/errors.ts'
import type { ProfileOperation } from '../core/profile/change.ts'
import { editOf } from '../core/profile/edit.ts'
import { type Once, onceOf } from '../lib/once.ts'
import type { Caller } from './caller.ts'
import type { HubContext } from './context.ts'
import { checkOperation, mayReach, tellingWhatMayBeSeen } from './profile-access.ts'

interface ChangeCall {
  readonly caller: Caller
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** Does what a request asks of profiles, if its token may. */
export async function changeProfiles(
  { profiles, log }: HubContext,
  operations: readonly ProfileOperation[],
  { caller, request }: ChangeCall,
): Promise<TransactionAnswer> {
  for (const operation of operations) checkOperation(caller, operation)
  const edits = operations.map((operation, index) => editOf(operation, index))
  const once = onceIn(request, caller)
  const { changes } = await tellingWhatMayBeSeen(caller, () =>
    profiles.change(edits, { by: { id: caller.id, label: caller.label }, once }),
  )
  const names = new Set(changes.filter(({ changed }) => changed).map(({ profile }) => profile))
  if (names.size > 0) log.debug('profiles changed', { profiles: [...names], by: caller.id })
  return { changes: changes.map((change, index) => told(change, operations[index], caller)) }
}

/** The same of one operation, with what a request's headers say of the revision. */
export async function changeProfile(
  hub: HubContext,
  operation: ProfileOperation,
  call: ChangeCall,
): Promise<ChangeAnswer> {
  const ifRevision = revisionIn(call.request)
  const { changes } = await changeProfiles(hub, [{ ...operation, ifRevision }], call)
  const [change] = changes
  if (change === undefined) throw new FlotillaError('INTERNAL', 'a change has no answer')
  if (change.revision > 0 && change.version > 0) call.reply.header('etag', etagOf(change.revision))
  return change
}

/** A list is the caller's to see only with a right to read it: taking something off tells no more than that. */
function told(change: ChangeAnswer, operation: ProfileOperation | undefined, caller: Caller): ChangeAnswer {
  if (change.value === undefined || operation === undefined || !('param' in operation)) return change
  if (mayReach(caller, 'read', change.profile, ['params', operation.param])) return change
  const { value: _, ...rest } = change
  return rest
}

export function etagOf(revision: number): string {
  return `"${revision}"`
}

const ETAG = /^"(\d{1,15})"$/

/** The revision that must be there, 0 for none; undefined where the request does not say. Throws `BAD_REQUEST`. */
export function revisionIn({ headers }: FastifyRequest): number | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers
  if (match !== undefined) {
    const digits = ETAG.exec(match)?.[1]
    if (digits !== undefined && digits !== '0' && noneMatch === undefined) return Number(digits)
    throw new FlotillaError('BAD_REQUEST', 'If-Match takes one revision in quotes, as the ETag of an answer has it')
  }
  if (noneMatch === undefined) return undefined
  if (noneMatch === '*') return 0
  throw new FlotillaError('BAD_REQUEST', 'of a change, If-None-Match takes * alone: there is to be nothing yet')
}

/** Answers 304, without a body, where the caller has that revision already. */
export function isUnchanged({ request, reply }: ChangeCall, revision: number): boolean {
  const etag = etagOf(revision)
  reply.header('etag', etag)
  const has = request.headers['if-none-match']?.split(',').map((each) => each.trim().replace(/^W\//, ''))
  if (has?.includes(etag) !== true) return false
  void reply.status(304).send()
  return true
}

const KEY = /^[!-~]{1,200}$/

/** What the `Idempotency-Key` of a request makes of it. All that decides on its outcome is part of it. */
export function onceIn(request: FastifyRequest, caller: Caller): Once | undefined {
  const {
    'idempotency-key': key,
    'if-match': match,
    'if-none-match': noneMatch,
    'content-type': type,
  } = request.headers
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new FlotillaError('BAD_REQUEST', 'an Idempotency-Key has 1 to 200 printable characters')
  }
  const { method, url, body } = request
  return onceOf(caller.id, key, JSON.stringify([method, url, match, noneMatch, type, body]))
}
