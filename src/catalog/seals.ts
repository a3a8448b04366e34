import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Store } from '../core/store.ts'
import { type BoxKeys, open, seal } from '../lib/sealed-box.ts'
import type { Secret } from '../lib/secret.ts'
import { readKeystore, type SecretFile } from './keystore.ts'

const requestSchema = z.object({
  /** Made anew for each request: a box for an earlier one does not open. */
  id: z.string().min(16).max(64),
  from: z.string().max(64),
  publicKey: z.string().max(64),
  atMs: z.number(),
  /** The receiver has opened it: it is to be removed. */
  took: z.literal(true).optional(),
})
/** Value of `seal/<node>/<tree>`. */
export type SealRequest = z.output<typeof requestSchema>

/** Value of `seal/<node>/<tree>/<receiver>`. */
const sealedSchema = z.object({ id: z.string(), box: z.string(), atMs: z.number() })

const contentSchema = z.object({ files: z.array(z.object({ path: z.string(), base64: z.string() })).max(100) })

/** Both parts end by themselves when whoever waits has gone away. */
const ASKED_MS = 3_600_000
const SEALED_MS = 600_000

/** Who gives, who takes, of which catalog. */
export interface Handover {
  readonly tree: string
  readonly giver: string
  readonly receiver: string
}

export interface SealDeps {
  readonly store: Store
  readonly clock: Clock
}

/** The receiver's part: says which key the keystore is to be sealed for. */
export async function askForKeystore(
  { store, clock }: SealDeps,
  { tree, giver, receiver }: Handover,
  { id, publicKey }: Pick<SealRequest, 'id' | 'publicKey'>,
  op: Op,
): Promise<void> {
  const request: SealRequest = { id, from: giver, publicKey, atMs: clock.nowMs() }
  const lease = await store.grantLease(ASKED_MS, op)
  const put = { op: 'put', key: keys.seal(receiver, tree), value: JSON.stringify(request), leaseId: lease.id } as const
  await store.commit({ changes: [put] }, op)
}

/** The request of a receiver that is still open. */
export async function requestOf(
  { store, clock }: SealDeps,
  { tree, receiver }: Handover,
  op: Op,
): Promise<SealRequest> {
  const entry = await store.get(keys.seal(receiver, tree), op)
  const request = entry && parsed(requestSchema, entry.value)
  if (request !== undefined && request.took !== true && clock.nowMs() - request.atMs < ASKED_MS) return request
  throw new FlotillaError('NOT_FOUND', `${receiver} does not ask for the keystore of ${tree}`, {
    hint: 'There, type `flotilla catalog provision`, and leave it running until it is done.',
  })
}

/** The giver's part. Rejects with `FORBIDDEN` where another node was asked, and with `NOT_FOUND` where there is no keystore. */
export async function giveKeystore(
  { store, clock }: SealDeps,
  handover: Handover,
  { request, dataDirectory, code }: { request: SealRequest; dataDirectory: string; code: Secret | undefined },
  op: Op,
): Promise<void> {
  const { tree, giver, receiver } = handover
  if (request.from !== giver) {
    throw new FlotillaError('FORBIDDEN', `${receiver} asks ${request.from} for the keystore of ${tree}, not ${giver}`)
  }
  const files = await readKeystore(dataDirectory)
  const content = { files: files.map(({ path, bytes }) => ({ path, base64: Buffer.from(bytes).toString('base64') })) }
  const context = contextOf(handover, request.id)
  const box = seal(Buffer.from(JSON.stringify(content)), request.publicKey, { context, code })
  const value = JSON.stringify({ id: request.id, box, atMs: clock.nowMs() })
  const lease = await store.grantLease(SEALED_MS, op)
  const key = keys.sealed(giver, tree, receiver)
  await store.commit({ changes: [{ op: 'put', key, value, leaseId: lease.id }] }, op)
}

/** The receiver's part: undefined while nothing was given for that request. Rejects with `CORRUPT` for what does not open. */
export async function openKeystore(
  { store }: Pick<SealDeps, 'store'>,
  handover: Handover,
  { id, boxKeys, code }: { readonly id: string; readonly boxKeys: BoxKeys; readonly code: Secret | undefined },
  op: Op,
): Promise<readonly SecretFile[] | undefined> {
  const { tree, giver, receiver } = handover
  const entry = await store.get(keys.sealed(giver, tree, receiver), op)
  const sealed = entry && parsed(sealedSchema, entry.value)
  if (sealed?.id !== id) return undefined
  const content = open(sealed.box, boxKeys, { context: contextOf(handover, id), code })
  const read = parsed(contentSchema, Buffer.from(content).toString('utf8'))
  if (read === undefined) throw new FlotillaError('CORRUPT', 'what was sealed is no keystore')
  return read.files.map(({ path, base64 }) => ({ path, bytes: Buffer.from(base64, 'base64') }))
}

/** The receiver's part: what was sealed is needed no more. */
export async function confirmTaken(
  { store, clock }: SealDeps,
  { tree, giver, receiver }: Handover,
  { id, publicKey }: Pick<SealRequest, 'id' | 'publicKey'>,
  op: Op,
): Promise<void> {
  const request: SealRequest = { id, from: giver, publicKey, atMs: clock.nowMs(), took: true }
  const lease = await store.grantLease(SEALED_MS, op)
  const put = { op: 'put', key: keys.seal(receiver, tree), value: JSON.stringify(request), leaseId: lease.id } as const
  await store.commit({ changes: [put] }, op)
}

/** The giver's part. */
export async function removeSealed({ store }: Pick<SealDeps, 'store'>, { tree, giver, receiver }: Handover, op: Op) {
  await store.commit({ changes: [{ op: 'delete', key: keys.sealed(giver, tree, receiver) }] }, op)
}

export function parseRequest(value: string): SealRequest | undefined {
  return parsed(requestSchema, value)
}

function contextOf({ tree, giver, receiver }: Handover, id: string): string {
  return JSON.stringify(['keystore', tree, giver, receiver, id])
}

function parsed<S extends z.ZodType>(schema: S, text: string): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** The giver's part: whether the receiver has opened what was sealed for that request. */
export async function takenBy(store: Store, { tree, receiver }: Handover, id: string, op: Op): Promise<boolean> {
  const entry = await store.get(keys.seal(receiver, tree), op)
  const request = entry && parseRequest(entry.value)
  return request?.id === id && request.took === true
}
