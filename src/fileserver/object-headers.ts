import type { FileEntry } from '../core/files/entry.ts'
import { type FileFacts, KEPT_HEADERS } from '../core/files/tree-index.ts'
import { checksumOfHeader } from '../lib/s3/checksums.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { typeOf } from './content-types.ts'
import type { Exchange } from './exchange.ts'

/** Ours, among the kept headers: sizes of the parts of a file that came in parts, as `5242880*3,17`. Told to nobody. */
export const PARTS_HEADER = 'x-flotilla-parts'
/** Ours, among the kept headers: the upload that the file came by. Told to nobody. */
export const UPLOAD_HEADER = 'x-flotilla-upload'
/** Ours, among the kept headers of an upload: the form of its client, and what it announced. */
export const UPLOAD_FORM_HEADER = 'x-flotilla-form'

const PARTS_MAX = 10_000
const METADATA_BYTES_MAX = 2048
const KEPT_BYTES_MAX = 8192

let lastSeconds = 0
let lastText = ''

/** Files of one run were mostly written within the same second. */
export function httpDate(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds !== lastSeconds) {
    lastSeconds = seconds
    lastText = new Date(seconds * 1000).toUTCString()
  }
  return lastText
}

/** What a request to put a file says that is to be kept with it. Throws `MetadataTooLarge`. */
export function keptHeaders(exchange: Exchange): Record<string, string> {
  const kept: Record<string, string> = {}
  let metadataBytes = 0
  let bytes = 0
  for (const [name, value] of Object.entries(exchange.headers())) {
    const isMetadata = name.startsWith('x-amz-meta-')
    if (!isMetadata && !(KEPT_HEADERS as readonly string[]).includes(name)) continue
    const text = asLatin1(name === 'content-encoding' ? withoutAwsChunked(String(value)) : String(value))
    if (text === '' && !isMetadata) continue
    kept[name] = text
    bytes += name.length + text.length
    if (isMetadata) metadataBytes += name.length - 'x-amz-meta-'.length + text.length
  }
  if (metadataBytes > METADATA_BYTES_MAX || bytes > KEPT_BYTES_MAX) throw new S3Error('MetadataTooLarge')
  return kept
}

/** Whether a header of that name may be kept with a file: one that a client gives, or one of ours. */
export function isKeptName(name: string): boolean {
  if (name === PARTS_HEADER || name === UPLOAD_HEADER || (KEPT_HEADERS as readonly string[]).includes(name)) return true
  return /^x-amz-(?:meta|checksum)-[\w!#$%&'*+.^`|~-]{1,256}$/.test(name)
}

/** Whether it can be that: a header has to hold it. */
export function isKeptValue(name: string, value: string): boolean {
  return name === PARTS_HEADER ? isPartSizes(value) : /^[\x20-\x7e\x80-\xff\t]*$/.test(value)
}

/** No more of them than a file can come in. */
function isPartSizes(value: string): boolean {
  if (!/^\d{1,15}(?:\*\d{1,5})?(?:,\d{1,15}(?:\*\d{1,5})?)*$/.test(value)) return false
  return value.split(',').reduce((sum, run) => sum + Number(run.split('*')[1] ?? 1), 0) <= PARTS_MAX
}

/** Bytes as Node.js has them of headers, also where they come from a presigned URL. Throws for what no header can hold. */
function asLatin1(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) throw new S3Error('InvalidArgument', 'A header holds a control character.')
  // oxlint-disable-next-line no-control-regex -- whatever is beyond a byte
  return /[^\x00-\xff]/.test(text) ? Buffer.from(text).toString('latin1') : text
}

/** Flat, as `writeHead` takes them: every header of a file's answer but those of its length. */
export function objectHeaders(exchange: Exchange, entry: FileEntry, facts: FileFacts | undefined): string[] {
  const headers = ['etag', `"${entry.etag}"`, 'last-modified', httpDate(entry.modifiedMs), 'accept-ranges', 'bytes']
  const kept = facts?.headers
  if (kept === undefined && exchange.target.query.length === 0) {
    headers.push('content-type', typeOf(entry.key))
    return headers
  }
  const overrides = overridesOf(exchange)
  headers.push('content-type', overrides['content-type'] ?? kept?.['content-type'] ?? typeOf(entry.key))
  for (const name of KEPT_HEADERS) {
    const value = name === 'content-type' ? undefined : (overrides[name] ?? kept?.[name])
    if (value !== undefined) headers.push(name, value)
  }
  for (const [name, value] of Object.entries(kept ?? {})) {
    if (name.startsWith('x-amz-meta-')) headers.push(name, value)
  }
  return headers
}

/** The checksums that came with a file, for clients that ask for them. */
export function checksumHeaders(facts: FileFacts | undefined): string[] {
  const headers: string[] = []
  for (const [name, value] of Object.entries(facts?.headers ?? {})) {
    if (checksumOfHeader(name) !== undefined || name === 'x-amz-checksum-type') headers.push(name, value)
  }
  return headers
}

/** `response-content-type=…` and so on in the query. Throws for somebody without credentials: a link could make a page of any file. */
function overridesOf(exchange: Exchange): Readonly<Record<string, string>> {
  const overrides: Record<string, string> = {}
  for (const [parameter, value] of exchange.target.query) {
    if (!parameter.startsWith('response-')) continue
    const name = parameter.slice('response-'.length)
    if (!(KEPT_HEADERS as readonly string[]).includes(name)) continue
    if (exchange.caller.isAnonymous) {
      throw new S3Error(
        'InvalidRequest',
        'Request specific response headers cannot be used for anonymous GET requests.',
      )
    }
    // A header must not be cut in two.
    if (!/^[\x20-\x7e\x80-\xff\t]*$/.test(value)) throw new S3Error('InvalidArgument')
    overrides[name] = value
  }
  return overrides
}

function withoutAwsChunked(value: string): string {
  const codings = value.split(',').map((coding) => coding.trim())
  return codings.filter((coding) => coding !== '' && coding !== 'aws-chunked').join(',')
}
