import type { FileEntry } from '../core/files/entry.ts'
import type { FileFacts } from '../core/files/tree-index.ts'
import type { AckWish } from '../core/push/ack.ts'
import type { PutOptions, PutResult } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { ackWish, isPlain, reachedBy, requireReached } from './acknowledge.ts'
import { Body, bodyError, type BodyOptions } from './body.ts'
import { writeConditions } from './conditions.ts'
import { digestField, wantsDigest } from './digest-fields.ts'
import type { Exchange } from './exchange.ts'
import { putUnderFence, underFence } from './fence.ts'
import { takeHanded } from './handed.ts'
import { keptHeaders } from './object-headers.ts'
import type { ServedTree } from './options.ts'
import { answerPlainly } from './plain-answer.ts'

/** PUT of a whole file. Where nginx only asks whether it may take the body, that is answered. */
export async function putObject(
  exchange: Exchange,
  tree: ServedTree,
  key: string,
  options: BodyOptions,
): Promise<void> {
  refuseUnknown(exchange)
  const wish = ackWish(exchange, tree)
  const body = new Body(exchange, options)
  const kept = keptHeaders(exchange)
  const facts = (): FileFacts => ({ headers: { ...kept, ...body.checksumHeaders } })
  const conditions = writeConditions(exchange)
  const { signal } = exchange
  const modifiedMs = modifiedIn(exchange)
  const digests = digestsFor(exchange, wish)
  if (exchange.handed !== undefined && exchange.handed.file === undefined) return allow(exchange, tree)
  const put = { ...body.expected, ...conditions, facts, modifiedMs, digests, isOwn: true, signal }
  const result = await store(exchange, tree, key, body, put).catch((error: unknown) => {
    throw bodyError(error, exchange)
  })
  const entry = written(result, exchange, tree, key)
  if (wantsDigest(exchange) && entry.sha256 !== undefined) {
    exchange.response.setHeader('repr-digest', digestField(entry.sha256))
  }
  if (wish !== undefined && isPlain(exchange)) {
    const reach = await reachedBy(exchange, tree, key, wish)
    if (reach !== undefined) return answerPlainly(exchange, tree, entry, reach)
  }
  await requireReached(exchange, tree, key, wish)
  exchange.response.writeHead(200, {
    etag: `"${entry.etag}"`,
    'content-length': 0,
    'x-amz-request-id': exchange.requestId,
    ...body.checksumHeaders,
  })
  exchange.response.end()
}

async function store(
  exchange: Exchange,
  tree: ServedTree,
  key: string,
  body: Body,
  options: PutOptions & Op,
): Promise<PutResult> {
  const file = exchange.handed?.file
  if (file === undefined) {
    return putUnderFence(exchange, tree, body.bytes, async (bytes, hasEntered) =>
      tree.files.put(key, bytes, { ...options, check: checked(options.check, hasEntered) }),
    )
  }
  exchange.takeTime()
  const part = await takeHanded(tree, file)
  try {
    // Nobody saw the bytes come, so each digest is a reading of them: MD5 is for those who know S3.
    const digests = { md5: options.digests?.md5 === true || !isPlain(exchange), sha256: true }
    return await underFence(exchange, tree, async () => part.place(key, { ...options, digests }))
  } finally {
    await part.close()
  }
}

/** Nothing becomes visible of which the end was not seen. */
function checked(check: PutOptions['check'], hasEntered: () => boolean): PutOptions['check'] {
  return (chunk) => {
    check?.(chunk)
    if (chunk === undefined && !hasEntered())
      throw new Error('a body was taken for whole before its fence was looked at')
  }
}

/** Files that go to children have their SHA-256 without being asked: MD5, which costs more, is for those who know S3. */
function digestsFor(exchange: Exchange, wish: AckWish | undefined): PutOptions['digests'] {
  if (wantsDigest(exchange)) return { md5: true, sha256: true }
  return wish !== undefined && isPlain(exchange) ? { md5: false, sha256: false } : undefined
}

function allow({ response, requestId }: Exchange, tree: ServedTree): void {
  if (tree.parts === undefined) throw new S3Error('NotImplemented')
  response.writeHead(204, { 'x-amz-request-id': requestId }).end()
}

/** Throws where a condition did not hold. A file that is to be replaced, and is not there, is missing rather than another. */
export function written(result: PutResult, exchange: Exchange, { index }: ServedTree, key: string): FileEntry {
  if (result !== 'failed-condition') return result.entry
  const isMissing = exchange.header('if-match') !== undefined && index.get(key) === undefined
  throw isMissing ? new S3Error('NoSuchKey', undefined, { Key: key }) : new S3Error('PreconditionFailed')
}

/** `x-last-modified` of Open-Meteo's servers among each other: seconds, or a date. */
export function modifiedIn(exchange: Exchange): number | undefined {
  const text = exchange.header('x-last-modified')
  if (text === undefined) return undefined
  const ms = /^\d{1,11}(?:\.\d{1,9})?$/.test(text) ? Number(text) * 1000 : Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** What is asked for and cannot be given must not look as if it had been. */
export function refuseUnknown(exchange: Exchange): void {
  for (const name of NOT_GIVEN) {
    if (exchange.header(name) !== undefined) throw new S3Error('NotImplemented', `${name} is not implemented`)
  }
}

const NOT_GIVEN = [
  'x-amz-object-lock-legal-hold',
  'x-amz-object-lock-mode',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
] as const
