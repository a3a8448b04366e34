import { Readable } from 'node:stream'
import { z } from 'zod'
import { FlotillaError, isError } from '../../core/errors.ts'
import { bodyOf } from '../broken-requests.ts'
import type { Metrics } from '../metrics.ts'
import { type Route, route } from '../route.ts'
import { zSha256 } from '../schemas/common.ts'
import { zMissingAnswer, zMissingRequest } from '../schemas/releases.ts'

/** A client may ask for the contents of two whole releases at once. */
const HASHES_PER_FILE = 2

const zParams = z.strictObject({ sha256: zSha256 })
const zBundleQuery = z.strictObject({ base: zSha256.optional() })

/** Contents by their SHA-256. They never change, and are streamed: memory does not grow with their size. */
export const blobRoutes: readonly Route[] = [
  route({
    method: 'POST',
    url: '/v1/blobs/missing',
    id: 'missingBlobs',
    summary: 'Which of these blobs the hub does not hold',
    access: ['read:blob/'],
    limits: { bodyBytes: 'releaseBytes', members: HASHES_PER_FILE },
    body: zMissingRequest,
    answer: zMissingAnswer,
    handler: async ({ blobs }, { body }) => ({ missing: await blobs.missing(body.sha256) }),
  }),
  route({
    method: 'PUT',
    url: '/v1/blobs/:sha256',
    id: 'putBlob',
    summary: 'Brings a blob; it is kept only if its bytes have that hash',
    access: ['write:blob/{sha256}'],
    takesBytes: true,
    params: zParams,
    status: 204,
    handler: async ({ blobs, limits, metrics }, { params, request, caller }) => {
      const limitBytes = limits.blobBytes
      if (Number(request.headers['content-length']) > limitBytes) {
        throw new FlotillaError('TOO_LARGE', `a blob has at most ${limitBytes} bytes`)
      }
      const content = counted(bodyOf(request.raw, caller.ended), metrics, 'in')
      await blobs.put(params.sha256, content, { limitBytes }).catch(asTheSenders)
      return undefined
    },
  }),
  route({
    method: 'GET',
    url: '/v1/blobs/:sha256',
    id: 'getBlob',
    summary: 'The bytes of a blob',
    access: ['read:blob/{sha256}'],
    params: zParams,
    answerType: 'application/octet-stream',
    handler: async ({ blobs, metrics }, { params, reply, caller }) => {
      const size = (await blobs.sizes([params.sha256])).get(params.sha256)
      const content = await blobs.open(params.sha256, { signal: caller.ended })
      reply.type('application/octet-stream')
      if (size !== undefined) reply.header('content-length', size)
      await reply.send(Readable.from(counted(content, metrics, 'out'), { objectMode: false }))
      return undefined
    },
  }),
  route({
    method: 'GET',
    url: '/v1/blobs/:sha256/bundle',
    id: 'getBundle',
    summary: 'A manifest, and the contents it names that another one does not, in one answer',
    details:
      'Each blob is a line `SHA256 SIZE` and its bytes, the manifest first. Large blobs, and those beyond a few MiB, are left out.',
    access: ['read:blob/'],
    params: zParams,
    query: zBundleQuery,
    answerType: 'application/octet-stream',
    handler: async ({ bundles, metrics }, { params, query, reply }) => {
      const bundle = await bundles.get(params.sha256, query.base)
      metrics.blobBytes('out', bundle.byteLength)
      await reply
        .type('application/octet-stream')
        .send(Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength))
      return undefined
    },
  }),
  route({
    method: 'HEAD',
    url: '/v1/blobs/:sha256',
    id: 'hasBlob',
    summary: 'Whether the hub holds a blob, and its size',
    access: ['read:blob/{sha256}'],
    params: zParams,
    answerType: 'application/octet-stream',
    handler: async ({ blobs }, { params, reply }) => {
      const size = (await blobs.sizes([params.sha256])).get(params.sha256)
      if (size === undefined) throw new FlotillaError('NOT_FOUND', `the hub holds no blob ${params.sha256}`)
      await reply.header('content-length', size).type('application/octet-stream').send()
      return undefined
    },
  }),
]

/** To put a blob reads nothing but what was sent: bytes that are not those of the hash are no fault of the hub. */
function asTheSenders(error: unknown): never {
  throw isError(error, 'CORRUPT') ? new FlotillaError('BAD_REQUEST', error.message, { cause: error }) : error
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  metrics: Metrics,
  direction: 'in' | 'out',
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of content) {
    metrics.blobBytes(direction, chunk.byteLength)
    yield chunk
  }
}
