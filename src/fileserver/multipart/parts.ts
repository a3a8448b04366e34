import type { Clock } from '../../core/clock.ts'
import type { Upload, UploadPart } from '../../core/files/tree-uploads.ts'
import { CHECKSUMS, checksumElements, newChecksum } from '../../lib/s3/checksums.ts'
import { S3Error } from '../../lib/s3/errors.ts'
import { xmlDocument, type XmlElements } from '../../lib/s3/xml-write.ts'
import { Body, bodyError, type BodyOptions } from '../body.ts'
import { withCopySource } from '../copy-object.ts'
import { sendXml } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isoSeconds } from '../listing/elements.ts'
import { answerPatiently } from '../patience.ts'
import { parseRange } from '../range.ts'
import type { Router } from '../router.ts'
import { announcedSize, checksumOfUpload } from './create.ts'
import type { UploadPlace } from './place.ts'

const PARTS_MAX = 10_000

/** PUT `?partNumber=&uploadId=` */
export async function putPart(exchange: Exchange, place: UploadPlace, options: BodyOptions): Promise<void> {
  const { uploads, key } = place
  const number = partNumberIn(exchange)
  const upload = await uploadOf(exchange, place)
  const isOpenMeteo = announcedSize(upload.facts) !== undefined
  const body = new Body(exchange, { ...options, algorithm: checksumOfUpload(upload.facts)?.algorithm })
  // Their clients take the SHA-256 of a part for its ETag.
  const sha256 = isOpenMeteo ? newChecksum('SHA256') : undefined
  let digest = ''
  const check = (chunk: Uint8Array | undefined): void => {
    body.expected.check?.(chunk)
    if (chunk !== undefined) sha256?.update(chunk)
    else digest = sha256?.digest().toString('hex') ?? ''
  }
  const facts = () => ({ headers: body.checksumHeaders, ...(isOpenMeteo && { etag: digest }) })
  const { signal } = exchange
  const part = await uploads
    .putPart(key, upload.id, number, body.bytes, { ...body.expected, check, facts, isOwn: true, signal })
    .catch((error: unknown) => {
      throw asNoUpload(bodyError(error, exchange))
    })
  exchange.response.writeHead(200, {
    etag: isOpenMeteo ? part.etag : `"${part.etag}"`,
    'content-length': 0,
    'x-amz-request-id': exchange.requestId,
    ...body.checksumHeaders,
  })
  exchange.response.end()
}

/** The same with `x-amz-copy-source` and `x-amz-copy-source-range`. */
export async function copyPart(
  exchange: Exchange,
  place: UploadPlace,
  { router, clock }: { readonly router: Router; readonly clock: Clock },
): Promise<void> {
  const { uploads, key } = place
  const number = partNumberIn(exchange)
  const upload = await uploadOf(exchange, place)
  await withCopySource(exchange, router, async (source) => {
    const { start, end } = copiedRange(exchange.header('x-amz-copy-source-range'), source.entry.size)
    const wished = checksumOfUpload(upload.facts)
    const checksum = wished && newChecksum(wished.algorithm)
    let value = ''
    const check = (chunk: Uint8Array | undefined): void => {
      if (chunk !== undefined) checksum?.update(chunk)
      else value = checksum?.digest().toString('base64') ?? ''
    }
    const facts = () => ({ headers: wished === undefined ? {} : { [CHECKSUMS[wished.algorithm].header]: value } })
    const { signal } = exchange
    const body = source.read(start, end, { signal })
    await answerPatiently(exchange, clock, async () => {
      const part = await uploads
        .putPart(key, upload.id, number, body, { size: end - start, check, facts, signal })
        .catch((error: unknown) => {
          throw asNoUpload(error)
        })
      const result = {
        LastModified: isoSeconds(part.modifiedMs),
        ETag: `"${part.etag}"`,
        ...checksumElements(part.headers ?? {}),
      }
      return xmlDocument('CopyPartResult', result)
    })
  })
}

/** GET `?uploadId=` */
export async function listParts(exchange: Exchange, place: UploadPlace): Promise<void> {
  const { uploads, key, bucket } = place
  const upload = await uploadOf(exchange, place)
  const limit = Math.min(numberIn(exchange, 'max-parts', 1000), 1000)
  const after = numberIn(exchange, 'part-number-marker', 0)
  const found = (await uploads.parts(key, upload.id, { after, limit: limit + 1 })) ?? []
  const parts = found.slice(0, limit)
  const isTruncated = found.length > limit
  const checksum = checksumOfUpload(upload.facts)
  const document = xmlDocument('ListPartsResult', {
    Bucket: bucket,
    Key: place.shownKey,
    UploadId: upload.id,
    Initiator: { ID: 'flotilla', DisplayName: 'flotilla' },
    Owner: { ID: 'flotilla', DisplayName: 'flotilla' },
    StorageClass: 'STANDARD',
    ChecksumAlgorithm: checksum?.algorithm,
    ChecksumType: checksum?.type,
    PartNumberMarker: after,
    NextPartNumberMarker: parts.at(-1)?.number ?? 0,
    MaxParts: limit,
    IsTruncated: isTruncated,
    Part: parts.map(partElement),
  })
  sendXml(exchange, 200, document)
}

function partElement(part: UploadPart): XmlElements {
  return {
    PartNumber: part.number,
    LastModified: isoSeconds(part.modifiedMs),
    ETag: `"${part.etag}"`,
    Size: part.size,
    ...checksumElements(part.headers ?? {}),
  }
}

/** The upload that is named; throws `NoSuchUpload`. */
export async function uploadOf(exchange: Exchange, { uploads, key }: UploadPlace): Promise<Upload> {
  const upload = await uploads.find(key, exchange.parameter('uploadId') ?? '')
  if (upload === undefined) throw new S3Error('NoSuchUpload')
  return upload
}

export function asNoUpload(error: unknown): unknown {
  const isMissing = (error as { code?: string }).code === 'NOT_FOUND'
  return isMissing ? new S3Error('NoSuchUpload') : error
}

function copiedRange(text: string | undefined, size: number): { readonly start: number; readonly end: number } {
  if (text === undefined) return { start: 0, end: size }
  const range = /^bytes=\d+-\d+$/.test(text) ? parseRange(text, size) : undefined
  const isWithin = Number(/\d+$/.exec(text)?.[0]) < size
  if (range === undefined || range === 'none' || !isWithin) {
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last within the source',
    )
  }
  return range
}

function partNumberIn(exchange: Exchange): number {
  const text = exchange.parameter('partNumber') ?? ''
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= PARTS_MAX) return number
  throw new S3Error('InvalidArgument', `Part number must be an integer between 1 and ${PARTS_MAX}, inclusive`)
}

function numberIn(exchange: Exchange, name: string, ifNone: number): number {
  const text = exchange.parameter(name) ?? ''
  if (text === '') return ifNone
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new S3Error('InvalidArgument', `${name} is no number`)
}
