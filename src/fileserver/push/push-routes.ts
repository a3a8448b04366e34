import { FlotillaError } from '../../core/errors.ts'
import { BUCKETS } from '../../core/push/buckets.ts'
import { KEY_BYTES_MAX } from '../../core/files/entry.ts'
import { type Hello, isLedgerId } from '../../core/push/wire.ts'
import { readJson } from '../peer/changes-request.ts'
import type { TreeCall } from '../peer/peer-call.ts'
import { sendJson } from '../peer/small-answers.ts'
import type { FedCall } from './fed-call.ts'
import { bad } from './frame-reader.ts'
import { answerBody, idIn } from './push-body.ts'
import { PushOps } from './push-ops.ts'

const JSON_BYTES_MAX = 64 * 1024
/** Nobody has a tree that is deeper. */
const ABOVE_MAX = 64
const ROWS_MAX = 10_000

interface PushRoute {
  readonly methods: readonly string[]
  readonly answer: (call: TreeCall) => Promise<void>
}

/** What a parent says to this node: see `core/push/wire.ts`. */
export function pushRoutes(): Readonly<Record<string, PushRoute>> {
  const ops = new PushOps()
  const post = (answer: (call: FedCall) => Promise<void>): PushRoute => ({ methods: ['POST'], answer: fed(answer) })
  return {
    'push-hello': post(answerHello),
    'push-ops': post(async (call) => ops.answer(call)),
    'push-part': { methods: ['GET'], answer: fed(answerPart) },
    'push-body': post(answerBody),
    'push-sums': post(answerSums),
    'push-rows': post(answerRows),
  }
}

function fed(answer: (call: FedCall) => Promise<void>): (call: TreeCall) => Promise<void> {
  return async (call) => {
    const { name, distribution } = call.tree
    if (!call.mayFeed(name)) {
      throw new FlotillaError('FORBIDDEN', `these credentials may not feed the tree ${name}`, {
        hint: `The file of API keys of this node needs a line: KEY parent ${name}`,
      })
    }
    if (distribution === undefined) {
      throw new FlotillaError('NOT_FOUND', `the tree ${name} is not fed by others at this node`)
    }
    await answer({ ...call, receiver: distribution.receiver })
  }
}

async function answerHello({ request, response, receiver, signal }: FedCall): Promise<void> {
  const { from, name, lineage, above, epoch, was, term, handed } = (await readObject(request)) as unknown as Hello
  const isHello =
    isLedgerId(from) &&
    Array.isArray(above) &&
    above.length <= ABOVE_MAX &&
    above.every(isLedgerId) &&
    isEpoch(epoch) &&
    isEpoch(term) &&
    isEpoch(handed) &&
    (was === undefined || isLedgerId(was))
  if (!isHello || !isSayable(name) || !isSayable(lineage)) throw bad('it does not introduce itself')
  const hello = { from, name, lineage, above, epoch, was, term, handed }
  sendJson(response, await receiver.hello(hello, { signal }))
}

async function answerPart({ response, receiver, target }: FedCall): Promise<void> {
  sendJson(response, { bytes: await receiver.partBytes(idIn(target)) })
}

async function answerSums({ request, response, receiver, signal }: FedCall): Promise<void> {
  const { prefix } = await readObject(request)
  sendJson(response, await receiver.sums(textOf(prefix), { signal }))
}

async function answerRows({ request, response, receiver, signal }: FedCall): Promise<void> {
  const { prefix, buckets, after, limit } = await readObject(request)
  const isValid = Array.isArray(buckets) && buckets.length <= BUCKETS && buckets.every(isBucket)
  if (!isValid || !Number.isSafeInteger(limit) || (limit as number) < 1) throw bad('it asks for rows in no proper form')
  const wish = { buckets: buckets as number[], limit: Math.min(limit as number, ROWS_MAX) }
  const rows = await receiver.rows({ ...wish, prefix: textOf(prefix), after: textOf(after) }, { signal })
  sendJson(response, rows)
}

function isEpoch(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)
}

/** It is told to people, in logs and in answers. */
function isSayable(value: unknown): boolean {
  return typeof value === 'string' && /^[\x20-\x7e]{1,256}$/.test(value)
}

function isBucket(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < BUCKETS
}

function textOf(value: unknown): string {
  if (typeof value === 'string' && value.length <= KEY_BYTES_MAX * 4) return value
  throw bad('the begin of keys is no text')
}

async function readObject(request: FedCall['request']): Promise<Readonly<Record<string, unknown>>> {
  const body = await readJson(request, JSON_BYTES_MAX)
  if (typeof body === 'object' && body !== null) return body as Readonly<Record<string, unknown>>
  throw bad('it says no object')
}
