import type { OpenedFile } from '../core/files/tree-files.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { uriEncodePath } from '../lib/s3/target.ts'
import { evaluate, holdsIfRange, OF_READ } from './conditions.ts'
import { digestField, wantsDigest } from './digest-fields.ts'
import { openElsewhere } from './elsewhere.ts'
import type { Exchange } from './exchange.ts'
import { checksumHeaders, objectHeaders, PARTS_HEADER } from './object-headers.ts'
import type { FileServerOptions, ServedTree } from './options.ts'
import { type ByteRange, parseRange } from './range.ts'
import { mostlySent, sendBytes } from './send-file.ts'

const MIB = 1024 * 1024
/** MiB a second: slower, and a connection would look as if nobody read from it. */
const RATE_MIN = 0.1

type Options = Pick<FileServerOptions, 'clock' | 'sendfile'>

/** GET and HEAD of a file. */
export async function getObject(exchange: Exchange, tree: ServedTree, key: string, options: Options): Promise<void> {
  const here = await tree.files.open(key)
  const file = here ?? (await openElsewhere(exchange, tree, key))
  if (file === undefined) throw new S3Error('NoSuchKey', undefined, { Key: key })
  try {
    // The nginx in front has only what is here.
    await answerFile(exchange, tree, file, here === undefined ? { clock: options.clock } : options)
  } finally {
    await file.close()
  }
}

export async function answerFile(
  exchange: Exchange,
  tree: ServedTree,
  file: OpenedFile,
  options: Options,
): Promise<void> {
  const { entry, facts } = file
  const { response } = exchange
  const isConditional = hasConditions(exchange)
  const verdict = isConditional ? evaluate(exchange, OF_READ, entry) : 'holds'
  const headers = objectHeaders(exchange, entry, facts)
  headers.push('x-amz-request-id', exchange.requestId)
  if (entry.sha256 !== undefined && wantsDigest(exchange)) headers.push('repr-digest', digestField(entry.sha256))
  if (verdict === 'failed') throw new S3Error('PreconditionFailed')
  if (verdict === 'not-modified') {
    response.writeHead(304, headers).end()
    return
  }
  const { range, parts } = wantedPart(exchange, file)
  if (parts > 0) headers.push('x-amz-mp-parts-count', String(parts))
  if (range === undefined && exchange.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') {
    headers.push(...checksumHeaders(facts))
  }
  const place = isForNginx(exchange, file, isConditional, options) ? await file.place() : undefined
  if (place !== undefined) {
    response.writeHead(200, [...headers, ...sendfileHeaders(exchange, tree, place, options)]).end()
    return
  }
  const { start, end } = range ?? { start: 0, end: entry.size }
  headers.push('content-length', String(end - start))
  if (range !== undefined) headers.push('content-range', `bytes ${start}-${end - 1}/${entry.size}`)
  response.writeHead(range === undefined ? 200 : 206, headers)
  if (exchange.method === 'HEAD' || end === start) response.end()
  else if (file.bytes !== undefined) {
    response.end(range === undefined ? file.bytes : file.bytes.subarray(start, end))
    await mostlySent(response)
  } else {
    const { clock } = options
    await sendBytes(
      response,
      file,
      { start, end },
      { clock, bytesPerSecond: rateOf(exchange), signal: exchange.signal },
    )
  }
}

function hasConditions({ request: { headers } }: Exchange): boolean {
  return (
    headers['if-match'] !== undefined ||
    headers['if-none-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers['if-unmodified-since'] !== undefined
  )
}

interface Wanted {
  /** Undefined: the whole. */
  readonly range: ByteRange | undefined
  /** How many parts the file came in, where one was asked for. */
  readonly parts: number
}

function wantedPart(exchange: Exchange, { entry, facts }: OpenedFile): Wanted {
  const number = exchange.parameter('partNumber')
  const header = exchange.header('range')
  if (number !== undefined) {
    if (header !== undefined) throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber')
    return partRange(number, entry.size, facts?.headers?.[PARTS_HEADER])
  }
  if (header === undefined || !holdsIfRange(exchange.header('if-range'), entry)) return { range: undefined, parts: 0 }
  const range = parseRange(header, entry.size)
  if (range !== 'none') return { range, parts: 0 }
  exchange.response.setHeader('content-range', `bytes */${entry.size}`)
  throw new S3Error('InvalidRange', undefined, { RangeRequested: header, ActualObjectSize: String(entry.size) })
}

/** A file that did not come in parts is its own first. */
function partRange(text: string, size: number, sizes: string | undefined): Wanted {
  const number = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > 10_000) throw new S3Error('InvalidArgument', 'Part number must be from 1 to 10000')
  const parts = sizes === undefined ? [size] : unpackSizes(sizes)
  const length = parts[number - 1]
  if (length === undefined) throw new S3Error('InvalidRange', 'The requested partnumber is not satisfiable')
  const start = parts.slice(0, number - 1).reduce((sum, part) => sum + part, 0)
  const range = size === 0 ? undefined : { start, end: start + length }
  return { range, parts: sizes === undefined ? 0 : parts.length }
}

/** `[5, 5, 5, 2]` → `5*3,2` */
export function packSizes(sizes: readonly number[]): string {
  const runs: { readonly size: number; count: number }[] = []
  for (const size of sizes) {
    const last = runs.at(-1)
    if (last?.size === size) last.count++
    else runs.push({ size, count: 1 })
  }
  return runs.map(({ size, count }) => (count === 1 ? `${size}` : `${size}*${count}`)).join(',')
}

export function unpackSizes(text: string): readonly number[] {
  return text.split(',').flatMap((run) => {
    const [size, count = '1'] = run.split('*')
    return Array.from({ length: Number(count) }, () => Number(size))
  })
}

/** Open-Meteo's clients of old ask for a rate, in MiB a second. */
function rateOf(exchange: Exchange): number | undefined {
  const rate = Number(exchange.parameter('rate') ?? Number.NaN)
  return rate > 0 && rate <= 1e6 ? Math.max(rate, RATE_MIN) * MIB : undefined
}

/** nginx knows nothing of our ETags, so what depends on them is answered from here; of what is told it keeps little. */
function isForNginx(exchange: Exchange, file: OpenedFile, isConditional: boolean, { sendfile }: Options): boolean {
  const { entry, facts } = file
  if (sendfile === undefined || entry.size < sendfile.minBytes || isConditional) return false
  if (exchange.method === 'HEAD' || hasMetadata(facts)) return false
  return exchange.header('if-range') === undefined && exchange.parameter('partNumber') === undefined
}

function hasMetadata(facts: OpenedFile['facts']): boolean {
  return Object.keys(facts?.headers ?? {}).some((name) => name.startsWith('x-amz-meta-'))
}

/** By where the file lies in truth: nginx follows no link, and takes no other generation than the one that was looked at. */
function sendfileHeaders(exchange: Exchange, tree: ServedTree, place: string, { sendfile }: Options): string[] {
  const rate = rateOf(exchange)
  const path = `/${sendfile?.prefix}/${tree.name}/${uriEncodePath(place)}`
  const limit = rate === undefined ? [] : ['x-accel-limit-rate', String(Math.round(rate))]
  return ['x-accel-redirect', path, ...limit]
}
