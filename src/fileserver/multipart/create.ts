import type { FileFacts } from '../../core/files/tree-index.ts'
import { CHECKSUMS, type ChecksumAlgorithm, type ChecksumType, isChecksumAlgorithm } from '../../lib/s3/checksums.ts'
import { S3Error } from '../../lib/s3/errors.ts'
import { xmlDocument } from '../../lib/s3/xml-write.ts'
import { sendXml } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { keptHeaders, UPLOAD_FORM_HEADER } from '../object-headers.ts'
import { modifiedIn, refuseUnknown } from '../put-object.ts'
import type { UploadPlace } from './place.ts'

const ALGORITHM_HEADER = 'x-amz-checksum-algorithm'
export const TYPE_HEADER = 'x-amz-checksum-type'
/** Open-Meteo's servers say beforehand how large the file will be. */
const FILE_SIZE_HEADER = 'x-file-size'

/** POST `?uploads` */
export async function createUpload(exchange: Exchange, place: UploadPlace): Promise<void> {
  const { bucket, uploads, key, shownKey } = place
  refuseUnknown(exchange)
  const checksum = wishedChecksum(exchange)
  const headers = { ...keptHeaders(exchange), ...checksum, ...openMeteoForm(exchange) }
  const id = await uploads.create(key, {
    id: clientsId(exchange),
    facts: { headers },
    modifiedMs: modifiedIn(exchange),
    signal: exchange.signal,
  })
  for (const [name, value] of Object.entries(checksum)) exchange.response.setHeader(name, value)
  const result = { Bucket: bucket, Key: shownKey, UploadId: id }
  sendXml(exchange, 200, xmlDocument('InitiateMultipartUploadResult', result))
}

/** How the checksums of an upload are made, by what is kept of it. */
export function checksumOfUpload(
  facts: FileFacts | undefined,
): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined {
  const algorithm = facts?.headers?.[ALGORITHM_HEADER] ?? ''
  if (!isChecksumAlgorithm(algorithm)) return undefined
  const type = facts?.headers?.[TYPE_HEADER] === 'FULL_OBJECT' ? 'FULL_OBJECT' : 'COMPOSITE'
  return { algorithm, type }
}

/** What is kept with the upload, without what is of the upload only. */
export function headersOfFile(facts: FileFacts | undefined): Record<string, string> {
  const kept = Object.entries(facts?.headers ?? {})
  return Object.fromEntries(kept.filter(([name]) => name !== ALGORITHM_HEADER && name !== UPLOAD_FORM_HEADER))
}

/** The size that an Open-Meteo server announced; undefined for an upload as S3 has it. */
export function announcedSize(facts: FileFacts | undefined): number | undefined {
  const size = facts?.headers?.[UPLOAD_FORM_HEADER]
  return size === undefined ? undefined : Number(size)
}

function wishedChecksum(exchange: Exchange): Record<string, string> {
  const algorithm = exchange.header(ALGORITHM_HEADER)?.toUpperCase()
  const type = exchange.header(TYPE_HEADER)?.toUpperCase()
  if (algorithm === undefined) return {}
  if (!isChecksumAlgorithm(algorithm))
    throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  const types: readonly string[] = CHECKSUMS[algorithm].types
  if (type !== undefined && !types.includes(type)) {
    throw new S3Error('InvalidRequest', `The ${type} checksum type cannot be used with the ${algorithm} algorithm.`)
  }
  return { [ALGORITHM_HEADER]: algorithm, [TYPE_HEADER]: type ?? types[0] ?? 'COMPOSITE' }
}

function openMeteoForm(exchange: Exchange): Record<string, string> {
  const size = exchange.header(FILE_SIZE_HEADER)
  if (size === undefined) return {}
  if (!/^\d{1,15}$/.test(size)) throw new S3Error('InvalidArgument', `${FILE_SIZE_HEADER} is no number of bytes`)
  return { [UPLOAD_FORM_HEADER]: size }
}

function clientsId(exchange: Exchange): string | undefined {
  const id = exchange.header('x-upload-id')
  if (id === undefined || exchange.header(FILE_SIZE_HEADER) === undefined) return undefined
  if (!/^\d{10,19}$/.test(id)) throw new S3Error('InvalidArgument', 'x-upload-id is a number from 1000000000')
  return id
}
