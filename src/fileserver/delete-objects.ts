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

interface Outcome {
  readonly object: ObjectToDelete
  readonly error: S3Error | undefined
}

/** POST `?delete`: up to a thousand at once, each with its own outcome. */
export async function deleteObjects(exchange: Exchange, tree: ServedTree, options: BodyOptions): Promise<void> {
  const wish = ackWish(exchange, tree)
  const { isQuiet, objects } = readDelete(await readSmallBody(exchange, options, XML_BYTES_MAX))
  const Deleted: XmlElements[] = []
  const Errors: XmlElements[] = []
  const outcomes = await removeAll(exchange, tree, objects)
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

/**
 * The fence is of the request: it is asked for once, and one that is not good is the answer of the whole, before anything is removed. Who
 * may remove none of them leaves no trace of a fence either.
 */
async function removeAll(
  exchange: Exchange,
  tree: ServedTree,
  objects: readonly ObjectToDelete[],
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = objects.map((object) => ({ object, error: refusalOf(exchange, tree, object) }))
  if (outcomes.every(({ error }) => error !== undefined)) return outcomes
  return await underFence(exchange, tree, async () => {
    const done: Outcome[] = []
    for (const { object, error } of outcomes) {
      done.push({ object, error: error ?? (await removeOne(exchange, tree, object).catch(asS3Error)) })
    }
    return done
  })
}

function refusalOf({ caller }: Exchange, tree: ServedTree, { key, versionId }: ObjectToDelete): S3Error | undefined {
  if (!caller.mayWrite(tree.name, key)) return new S3Error('AccessDenied')
  return versionId !== undefined && versionId !== 'null' ? new S3Error('NoSuchVersion') : undefined
}

async function removeOne(
  { signal }: Exchange,
  tree: ServedTree,
  { key, etag }: ObjectToDelete,
): Promise<S3Error | undefined> {
  const removed = await tree.files.remove(key, { signal, ...(etag !== undefined && { ifMatch: [etag] }) })
  return removed === 'failed-condition' ? new S3Error('PreconditionFailed') : undefined
}

function asS3Error(error: unknown): S3Error {
  const known = toS3Error(error)
  if (known === undefined) throw error
  return known
}
