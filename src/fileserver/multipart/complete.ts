import type { FileEntry } from '../../core/files/entry.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Upload, UploadPart } from '../../core/files/tree-uploads.ts'
import { CHECKSUMS, checksumOfParts, etagOfParts, parseChecksum } from '../../lib/s3/checksums.ts'
import { S3Error } from '../../lib/s3/errors.ts'
import { type CompletedPart, readCompleteMultipartUpload, XML_BYTES_MAX } from '../../lib/s3/xml-read.ts'
import { xmlDocument } from '../../lib/s3/xml-write.ts'
import { ackWish, requireReached } from '../acknowledge.ts'
import { type BodyOptions, readSmallBody } from '../body.ts'
import { writeConditions } from '../conditions.ts'
import type { Exchange } from '../exchange.ts'
import { underFence } from '../fence.ts'
import { PARTS_HEADER, UPLOAD_HEADER } from '../object-headers.ts'
import { packSizes } from '../get-object.ts'
import { answerPatiently } from '../patience.ts'
import { modifiedIn, written } from '../put-object.ts'
import { announcedSize, checksumOfUpload, headersOfFile, TYPE_HEADER } from './create.ts'
import { asNoUpload, uploadOf } from './parts.ts'
import type { UploadPlace } from './place.ts'

const PART_BYTES_MIN = 5 * 1024 * 1024
const PACKED_MAX = 1024

/** POST `?uploadId=`: the parts become the file. Who did not hear of it and asks again hears it again. */
export async function completeUpload(exchange: Exchange, place: UploadPlace, options: BodyOptions): Promise<void> {
  const { uploads, key, tree } = place
  const wish = ackWish(exchange, tree)
  const upload = await uploads.find(key, exchange.parameter('uploadId') ?? '')
  const named = readCompleteMultipartUpload(await readSmallBody(exchange, options, XML_BYTES_MAX))
  if (upload === undefined) {
    const result = await completedBefore(exchange, place, named)
    return answerPatiently(exchange, options.clock, async () => {
      await requireReached(exchange, tree, key, wish)
      return result
    })
  }
  const parts = await partsNamed(named, place, upload)
  const facts = factsOf(exchange, upload, parts)
  const modifiedMs = upload.modifiedMs ?? modifiedIn(exchange)
  const { signal } = exchange
  const conditions = writeConditions(exchange)
  const complete = async (): Promise<FileEntry> => {
    const wanted = { parts, facts, modifiedMs, signal, ...conditions }
    const completing = underFence(exchange, tree, async () => uploads.complete(key, upload.id, wanted))
    const entry = written(await completing.catch(asPartError), exchange, tree, key)
    await requireReached(exchange, tree, key, wish)
    return entry
  }
  // Open-Meteo's servers answer nothing, and its clients look at the status only.
  if (announcedSize(upload.facts) !== undefined) {
    const { etag } = await complete()
    exchange.response.writeHead(200, { etag: `"${etag}"`, 'content-length': 0 }).end()
    return
  }
  await answerPatiently(exchange, options.clock, async () =>
    resultDocument(exchange, place, facts, (await complete()).etag),
  )
}

/** The result of an upload that has ended, as long as the file that it made is there. Throws `NoSuchUpload`. */
async function completedBefore(
  exchange: Exchange,
  place: UploadPlace,
  named: readonly CompletedPart[],
): Promise<string> {
  const file = await place.tree.files.open(place.key, { signal: exchange.signal })
  await file?.close()
  const { facts = {}, entry } = file ?? {}
  const isOfUpload = facts.headers?.[UPLOAD_HEADER] === exchange.parameter('uploadId')
  const etag = etagOfParts(named.map((part) => part.etag))
  if (!isOfUpload || entry?.etag !== etag) throw new S3Error('NoSuchUpload')
  return resultDocument(exchange, place, facts, etag)
}

function resultDocument(
  exchange: Exchange,
  { bucket, shownKey }: UploadPlace,
  { headers = {} }: FileFacts,
  etag: string,
): string {
  const checksum = Object.values(CHECKSUMS).find(({ header }) => headers[header] !== undefined)
  return xmlDocument('CompleteMultipartUploadResult', {
    Location: `http://${exchange.header('host') ?? ''}${exchange.target.rawPath}`,
    Bucket: bucket,
    Key: shownKey,
    ETag: `"${etag}"`,
    ...(checksum !== undefined && { [checksum.element]: headers[checksum.header], ChecksumType: headers[TYPE_HEADER] }),
  })
}

/** DELETE `?uploadId=` */
export async function abortUpload(exchange: Exchange, place: UploadPlace): Promise<void> {
  const upload = await uploadOf(exchange, place)
  await place.uploads.abort(place.key, upload.id)
  exchange.response.writeHead(204, { 'x-amz-request-id': exchange.requestId }).end()
}

/** What there is of the parts that are named, in their order. */
async function partsNamed(
  named: readonly CompletedPart[],
  { uploads, key }: UploadPlace,
  upload: Upload,
): Promise<readonly UploadPart[]> {
  const all = (await uploads.parts(key, upload.id, { after: 0, limit: 10_000 })) ?? []
  const held = new Map(all.map((part) => [part.number, part]))
  const parts = named.map(({ partNumber, etag, checksum }) => {
    const part = held.get(partNumber)
    const claimed = checksum && part?.headers?.[CHECKSUMS[checksum.algorithm].header]
    if (part === undefined || part.etag !== etag || (claimed !== undefined && claimed !== checksum?.value)) {
      throw new S3Error('InvalidPart', undefined, { PartNumber: String(partNumber), UploadId: upload.id })
    }
    return part
  })
  const small = parts.slice(0, -1).find(({ size }) => size < PART_BYTES_MIN)
  if (small !== undefined) {
    const elements = {
      PartNumber: String(small.number),
      ProposedSize: String(small.size),
      MinSizeAllowed: String(PART_BYTES_MIN),
    }
    throw new S3Error('EntityTooSmall', undefined, elements)
  }
  return parts
}

function factsOf(exchange: Exchange, upload: Upload, parts: readonly UploadPart[]): FileFacts {
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  const announced = announcedSize(upload.facts) ?? numberIn(exchange.header('x-amz-mp-object-size'))
  if (announced !== undefined && announced !== size) {
    throw new S3Error('InvalidRequest', `The parts have ${size} bytes, and ${announced} were announced.`)
  }
  const packed = packSizes(parts.map((part) => part.size))
  const headers = {
    ...headersOfFile(upload.facts),
    ...wholeChecksum(exchange, upload, parts),
    ...(packed.length <= PACKED_MAX && { [PARTS_HEADER]: packed }),
    [UPLOAD_HEADER]: upload.id,
  }
  return { etag: etagOfParts(parts.map(({ etag }) => etag)), headers }
}

/** Made of those of the parts; one that the client sent with the request has to be the same. */
function wholeChecksum(exchange: Exchange, upload: Upload, parts: readonly UploadPart[]): Record<string, string> {
  const checksum = checksumOfUpload(upload.facts)
  if (checksum === undefined) return {}
  const { algorithm, type } = checksum
  const { header } = CHECKSUMS[algorithm]
  const values = parts.map((part) => {
    const value = part.headers?.[header]
    if (value === undefined) throw new S3Error('InvalidPart', `Part ${part.number} came without its ${header}.`)
    return { value: parseChecksum(algorithm, value), size: part.size }
  })
  const whole = checksumOfParts(algorithm, type, values)
  const sent = exchange.header(header)
  if (sent !== undefined && sent !== whole) throw new S3Error('BadDigest')
  return { [header]: whole }
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function asPartError(error: unknown): never {
  if ((error as { code?: string }).code === 'CHANGED') throw new S3Error('InvalidPart')
  throw asNoUpload(error)
}
