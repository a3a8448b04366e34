import { once } from 'node:events'
import { openMeteoList, openMeteoRoots } from '../compat/openmeteo/listing.ts'
import { isOpenMeteoList } from '../compat/openmeteo/requests.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { begun } from './begun.ts'
import { sendXml } from './errors.ts'
import { ClientGone, type Exchange } from './exchange.ts'
import { listObjectsV1, listObjectsV2, listObjectVersions } from './listing/list-objects.ts'
import { parseToken, tokenOf } from './listing/list-request.ts'
import { pagerOfAll, pagerOfTree } from './listing/pagers.ts'
import { type Pager, walk } from './listing/walk.ts'
import type { ServedTree } from './options.ts'
import { type Bucket, EVERYTHING } from './router.ts'

/** GET of a bucket, in whatever form of a listing. */
export async function listBucket(exchange: Exchange, bucket: Bucket, trees: readonly ServedTree[]): Promise<void> {
  const { caller, target } = exchange
  const prefix = exchange.parameter('prefix') ?? ''
  const isOpenMeteo = bucket.name === EVERYTHING && isOpenMeteoList(target.query, exchange.request.headers)
  const pager = bucket.tree === undefined ? pagerOfAll(trees, caller, prefix) : pagerOfTree(bucket.tree, caller, prefix)
  // Where nothing may be seen at all it is refused; where nothing is there, there is nothing to see.
  if (pager === undefined) {
    const isAny = trees.some(({ name }) => caller.readable(name).length > 0)
    if (bucket.tree !== undefined || !isAny) throw new S3Error('AccessDenied')
  }
  const shown = pager ?? NOTHING
  if (isOpenMeteo && prefix === '' && bucket.tree === undefined) {
    const readable = trees.filter(({ name }) => caller.readable(name).length > 0)
    sendXml(exchange, 200, openMeteoRoots(readable.map(({ name }) => name)))
  } else if (isOpenMeteo) await sendOpenMeteoList(exchange, shown, prefix)
  else if (exchange.parameter('versions') !== undefined) listObjectVersions(exchange, bucket.name, shown)
  else if (exchange.parameter('list-type') === '2') listObjectsV2(exchange, bucket.name, shown)
  else listObjectsV1(exchange, bucket.name, shown)
}

const NOTHING: Pager = { page: () => [] }

/** In pieces, as fast as whoever asked reads: it can be long. */
async function sendOpenMeteoList(exchange: Exchange, pager: Pager, prefix: string): Promise<void> {
  const { response, requestId } = exchange
  const token = exchange.parameter('continuation-token')
  const after = token === undefined ? '' : parseToken(token)
  const lines = () => walk(pager, { prefix, delimiter: '/', after })
  const pieces = begun(openMeteoList({ prefix, lines, tokenOf }))
  response.writeHead(200, { 'content-type': 'application/xml', 'x-amz-request-id': requestId })
  for (const piece of pieces) {
    if (response.destroyed) throw new ClientGone()
    if (!response.write(piece)) await once(response, 'drain', { signal: exchange.signal })
  }
  response.end()
}
