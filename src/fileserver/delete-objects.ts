import { S3Error } from '../lib/s3/errors.ts'
import { xmlDocument, type XmlElements } from '../lib/s3/xml-write.ts'
import { readDelete, XML_BYTES_MAX } from '../lib/s3/xml-read.ts'
import { type BodyOptions, readSmallBody } from './body.ts'
import { parseETags } from './conditions.ts'
import { sendXml, toS3Error } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { ServedTree } from './options.ts'

/** DELETE of a file. One that is not there is as good as removed. */
export async function deleteObject(exchange: Exchange, tree: ServedTree, key: string): Promise<void> {
  const match = exchange.header('if-match')
  const conditions = match === undefined ? {} : { ifMatch: parseETags(match) }
  const removed = await tree.files.remove(key, { ...conditions, signal: exchange.signal })
  if (removed === 'failed-condition') throw new S3Error('PreconditionFailed')
  exchange.response.writeHead(204, { 'x-amz-request-id': exchange.requestId }).end()
}

/** POST `?delete`: up to a thousand at once, each with its own outcome. */
export async function deleteObjects(exchange: Exchange, tree: ServedTree, options: BodyOptions): Promise<void> {
  const { isQuiet, objects } = readDelete(await readSmallBody(exchange, options, XML_BYTES_MAX))
  const Deleted: XmlElements[] = []
  const Errors: XmlElements[] = []
  for (const { key, versionId, etag } of objects) {
    const error = await removeOne(exchange, tree, key, { versionId, etag }).catch(asS3Error)
    const Version = versionId === undefined ? {} : { VersionId: versionId }
    if (error !== undefined) Errors.push({ Key: key, ...Version, Code: error.code, Message: error.message })
    else if (!isQuiet) Deleted.push({ Key: key, ...Version })
  }
  sendXml(exchange, 200, xmlDocument('DeleteResult', { Deleted, Error: Errors }))
}

async function removeOne(
  { caller, signal }: Exchange,
  tree: ServedTree,
  key: string,
  { versionId, etag }: { readonly versionId: string | undefined; readonly etag: string | undefined },
): Promise<S3Error | undefined> {
  if (!caller.mayWrite(tree.name, key)) return new S3Error('AccessDenied')
  if (versionId !== undefined && versionId !== 'null') return new S3Error('NoSuchVersion')
  const removed = await tree.files.remove(key, { signal, ...(etag !== undefined && { ifMatch: [etag] }) })
  return removed === 'failed-condition' ? new S3Error('PreconditionFailed') : undefined
}

function asS3Error(error: unknown): S3Error {
  const known = toS3Error(error)
  if (known === undefined) throw error
  return known
}
