import { type AckLevel, type AckWish, ACK_LEVELS, isAckLevel, type Reach } from '../core/push/ack.ts'
import { S3Error } from '../lib/s3/errors.ts'
import type { Exchange } from './exchange.ts'
import type { ServedTree } from './options.ts'

const ACK_HEADER = 'x-flotilla-ack'
const ACK_TIMEOUT_HEADER = 'x-flotilla-ack-timeout'
const REACHED_HEADER = 'x-flotilla-reached'

const TIMEOUT_S_MAX = 3600

/**
 * How far a write of this request has to come: what it says in `?ack=` or in headers, else what the tree does. Undefined for a tree without
 * children. Throws `InvalidArgument`; to be asked before anything is done.
 */
export function ackWish(exchange: Exchange, { distribution }: ServedTree): AckWish | undefined {
  if (distribution === undefined || distribution.children().length === 0) return undefined
  const level = exchange.parameter('ack') ?? exchange.header(ACK_HEADER)
  const timeout = exchange.header(ACK_TIMEOUT_HEADER)
  return {
    level: level === undefined ? distribution.ack.level : levelOf(level),
    timeoutMs: timeout === undefined ? distribution.ack.timeoutMs : secondsOf(timeout) * 1000,
    ...(timeout !== undefined && { isPatient: true }),
  }
}

/** Waits for what is wished of the last write to that key, and says in a header what was reached. Undefined where nothing is wished. */
export async function reachedBy(
  exchange: Exchange,
  { distribution }: ServedTree,
  key: string,
  wish: AckWish | undefined,
): Promise<Reach | undefined> {
  if (wish === undefined || distribution === undefined) return undefined
  exchange.takeTime()
  const reach = await distribution.reached(key, wish, { signal: exchange.signal })
  tellReached(exchange, reach)
  return reach
}

/** As `reachedBy`, for clients of S3, who know success and failure: throws `NotAcknowledged`. */
export async function requireReached(
  exchange: Exchange,
  tree: ServedTree,
  key: string,
  wish: AckWish | undefined,
): Promise<void> {
  const reach = await reachedBy(exchange, tree, key, wish)
  if (reach !== undefined && !reach.isReached) throw notAcknowledged(reach)
}

/** Of many keys at once: those that have not come as far, with what is to be told of them. The header says what holds of all. */
export async function notReached(
  exchange: Exchange,
  { distribution }: ServedTree,
  keys: readonly string[],
  wish: AckWish | undefined,
): Promise<ReadonlyMap<string, S3Error>> {
  if (wish === undefined || distribution === undefined || keys.length === 0) return new Map()
  exchange.takeTime()
  const { signal } = exchange
  const reaches = await Promise.all(keys.map(async (key) => distribution.reached(key, wish, { signal })))
  tellReached(exchange, reaches.reduce(both))
  const late = keys.flatMap((key, at): [string, S3Error][] => {
    const reach = reaches[at]
    return reach === undefined || reach.isReached ? [] : [[key, notAcknowledged(reach)]]
  })
  return new Map(late)
}

function both(one: Reach, other: Reach): Reach {
  const children = one.children.map((child, at) => (child.state === 'reached' ? (other.children[at] ?? child) : child))
  return { level: one.level, isReached: one.isReached && other.isReached, children }
}

function notAcknowledged(reach: Reach): S3Error {
  return new S3Error('NotAcknowledged', undefined, { Reached: reachText(reach) })
}

function tellReached({ response }: Exchange, reach: Reach): void {
  if (!response.headersSent) response.setHeader(REACHED_HEADER, reachText(reach))
}

/** Whether whoever asks knows nothing of S3: neither signed nor with any header of its kind. */
export function isPlain({ request: { headers }, target: { query } }: Exchange): boolean {
  const { authorization } = headers
  if (authorization !== undefined && !/^Bearer /i.test(authorization)) return false
  if (query.some(([name]) => OF_S3.test(name))) return false
  return !Object.keys(headers).some((name) => name.startsWith('x-amz-'))
}

const OF_S3 = /^(?:X-Amz-.*|AWSAccessKeyId|uploadId)$/

function reachText({ level, isReached, children }: Reach): string {
  const reached = children.filter(({ state }) => state === 'reached').length
  return `level=${level}; reached=${isReached ? 'yes' : 'no'}; children=${reached}/${children.length}`
}

function levelOf(text: string): AckLevel {
  if (isAckLevel(text)) return text
  throw new S3Error('InvalidArgument', `The level of acknowledgement is one of ${ACK_LEVELS.join(', ')}.`, {
    ArgumentName: 'ack',
  })
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (seconds <= TIMEOUT_S_MAX) return seconds
  throw new S3Error('InvalidArgument', `${ACK_TIMEOUT_HEADER} takes seconds, from 0 to ${TIMEOUT_S_MAX}.`, {
    ArgumentName: ACK_TIMEOUT_HEADER,
  })
}
