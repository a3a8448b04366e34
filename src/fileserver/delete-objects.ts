import { S3Error } from '../lib/s3/errors.ts'
import { xmlDocument, type XmlElements } from '../lib/s3/xml-write.ts'
import { type ObjectToDelete, readDelete, XML_BYTES_MAX } from '../lib/s3/xml-read.ts'
import { ackWish, isPlain, notReached, reachedBy, requireReached } from './acknowledge.ts'
import { type BodyOptions, readSmallBody } from './body.ts'
import { parseETags } from './conditions.ts'
import { sendXml, toS3Error } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { underFence } from './fence.ts'
import type { ServedTree } from './options.ts'
import { answerPlainly } from './plain-answer.ts'

/** DELETE of a file. One that is not there is as good as removed. */
export async function deleteObject(exchange: Exchange, tree: ServedTree, key: string): Promise<void> {
  const wish = ackWish(exchange, tree)
  const match = exchange.header('if-match')
  const conditions = match === undefined ? {} : { ifMatch: parseETags(match) }
  const remove = { ...conditions, signal: exchange.signal }
  const removed = await underFence(exchange, tree, async () => tree.files.remove(key, remove))
  if (removed === 'failed-condition') throw new S3Error('PreconditionFailed')
  if (wish !== undefined && isPlain(exchange)) {
    const reach = await reachedBy(exchange, tree, key, wish)
    if (reach !== undefined) return answerPlainly(exchange, tree, undefined, reach)
  }
  await requireReached(exchange, tree, key, wish)
  exchange.response.writeHead(204, { 'x-amz-request-id': exchange.requestId }).end()
}

/** POST `?delete`: up to a thousand at once, each with its own outcome. */
export async function deleteObjects(exchange: Exchange, tree: ServedTree, options: BodyOptions): Promise<void> {
  const wish = ackWish(exchange, tree)
  const { isQuiet, objects } = readDelete(await readSmallBody(exchange, options, XML_BYTES_MAX))
  const Deleted: XmlElements[] = []
  const Errors: XmlElements[] = []
  const outcomes: { readonly object: (typeof objects)[number]; readonly error: S3Error | undefined }[] = []
  for (const object of objects) {
    outcomes.push({ object, error: await removeOne(exchange, tree, object).catch(asS3Error) })
  }
  const removed = outcomes.filter(({ error }) => error === undefined).map(({ object }) => object.key)
  const late = await notReached(exchange, tree, removed, wish)
  for (const { object, error: failure } of outcomes) {
    const { key, versionId } = object
    const error = failure ?? late.get(key)
    const Version = versionId === undefined ? {} : { VersionId: versionId }
    if (error !== undefined) Errors.push({ Key: key, ...Version, Code: error.code, Message: error.message })
    else if (!isQuiet) Deleted.push({ Key: key, ...Version })
  }
  sendXml(exchange, 200, xmlDocument('DeleteResult', { Deleted, Error: Errors }))
}

async function removeOne(
  exchange: Exchange,
  tree: ServedTree,
  { key, versionId, etag }: ObjectToDelete,
): Promise<S3Error | undefined> {
  const { caller, signal } = exchange
  if (!caller.mayWrite(tree.name, key)) return new S3Error('AccessDenied')
  if (versionId !== undefined && versionId !== 'null') return new S3Error('NoSuchVersion')
  const remove = { signal, ...(etag !== undefined && { ifMatch: [etag] }) }
  const removed = await underFence(exchange, tree, async () => tree.files.remove(key, remove))
  return removed === 'failed-condition' ? new S3Error('PreconditionFailed') : undefined
}

function asS3Error(error: unknown): S3Error {
  const known = toS3Error(error)
  if (known === undefined) throw error
  return known
}
