import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { PutOptions } from '../core/files/tree-files.ts'
import { AwsChunkedBody } from '../lib/s3/aws-chunked.ts'
import {
  type AnnouncedChecksum,
  type Checksum,
  type ChecksumAlgorithm,
  checksumIn,
  checksumOfHeader,
  CHECKSUMS,
  isChecksumAlgorithm,
  newChecksum,
  parseChecksum,
} from '../lib/s3/checksums.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { checkOfSha512, digestsIn } from './digest-fields.ts'
import { ClientGone, type Exchange } from './exchange.ts'
import type { FileServerLimits } from './options.ts'

export interface BodyOptions {
  readonly clock: Clock
  readonly limits: Pick<FileServerLimits, 'bodyBytesPerSecond' | 'slowAfterMs' | 'fileBytes'>
  /** Of the checksum that is wanted where none comes with the body. */
  readonly algorithm?: ChecksumAlgorithm | undefined
}

/**
 * The body of a request: decoded, watched, and with everything that was announced of it. Nothing is read, and no client that waits for a word
 * (`Expect: 100-continue`) is told to go on, before somebody iterates.
 */
export class Body {
  readonly bytes: AsyncIterable<Uint8Array>
  /** What `TreeFiles.put` has to verify. */
  readonly expected: Pick<PutOptions, 'size' | 'md5' | 'sha256' | 'check'>
  readonly #chunked: AwsChunkedBody | undefined
  readonly #trailer: ChecksumAlgorithm | undefined
  readonly #algorithm: ChecksumAlgorithm | undefined
  #announced: AnnouncedChecksum | undefined
  #checksum: Checksum | undefined
  #digest: Buffer | undefined

  /** Throws an `S3Error` for what is announced in no proper form. */
  constructor(exchange: Exchange, { clock, limits, algorithm }: BodyOptions) {
    const { payload } = exchange
    refusePart(exchange)
    const size = sizeOf(exchange)
    if (size !== undefined && size > limits.fileBytes) throw new S3Error('EntityTooLarge')
    const raw = watched(exchange, clock, limits)
    const announced = namesIn(exchange.header('x-amz-trailer'))
    if (payload.kind === 'chunked') {
      const { seed, hasTrailer } = payload
      const isSigned = exchange.header('x-amz-content-sha256')?.startsWith('STREAMING-AWS4-') === true
      const isUnchecked = isSigned && seed === undefined
      this.#chunked = new AwsChunkedBody(raw, { seed, isUnchecked, hasTrailer, decodedLength: size ?? 0, announced })
    }
    this.bytes = this.#chunked ?? raw
    this.#announced = checksumIn(exchange.headers())
    this.#trailer = announced.map(checksumOfHeader).find((one) => one !== undefined)
    this.#algorithm = this.#announced?.algorithm ?? this.#trailer ?? algorithm ?? wishedIn(exchange)
    this.#checksum = this.#algorithm === undefined ? undefined : newChecksum(this.#algorithm)
    const md5 = exchange.header('content-md5')
    const { sha256, sha512 } = digestsIn(exchange)
    const signed = payload.kind === 'sha256' ? payload.sha256 : undefined
    if (signed !== undefined && sha256 !== undefined && signed !== sha256) throw new S3Error('BadDigest')
    this.expected = {
      size,
      md5: md5 === undefined ? undefined : parseChecksum('MD5', md5).toString('hex'),
      sha256: signed ?? sha256,
      check: this.#checkOf(sha512),
    }
  }

  #checkOf(sha512: Buffer | undefined): PutOptions['check'] {
    const own: PutOptions['check'] = this.#checksum === undefined ? undefined : (chunk) => this.#check(chunk)
    if (sha512 === undefined) return own
    const check = checkOfSha512(sha512)
    return (chunk) => {
      check(chunk)
      own?.(chunk)
    }
  }

  /** The checksum as a header; nothing where none was sent or wished for. Known when the body was read. */
  get checksumHeaders(): Readonly<Record<string, string>> {
    if (this.#digest === undefined || this.#algorithm === undefined) return {}
    return { [CHECKSUMS[this.#algorithm].header]: this.#digest.toString('base64') }
  }

  #check(chunk: Uint8Array | undefined): void {
    if (chunk !== undefined) {
      this.#checksum?.update(chunk)
      return
    }
    this.#digest = this.#checksum?.digest()
    const header = this.#trailer === undefined ? undefined : CHECKSUMS[this.#trailer].header
    const trailer = header === undefined ? undefined : this.#chunked?.trailers.get(header)
    if (this.#trailer !== undefined && trailer !== undefined) {
      this.#announced = { algorithm: this.#trailer, value: parseChecksum(this.#trailer, trailer) }
    }
    if (this.#announced === undefined || this.#digest?.equals(this.#announced.value) === true) return
    throw new S3Error(
      'BadDigest',
      `The ${this.#announced.algorithm} you specified did not match the calculated checksum.`,
    )
  }
}

/** A whole small body, such as a document; verified as far as something was announced. */
export async function readSmallBody(exchange: Exchange, options: BodyOptions, limitBytes: number): Promise<Buffer> {
  const body = new Body(exchange, options)
  const { md5, sha256, check } = body.expected
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body.bytes) {
    bytes += chunk.byteLength
    if (bytes > limitBytes) throw new S3Error('MaxMessageLengthExceeded')
    check?.(chunk)
    chunks.push(chunk)
  }
  check?.(undefined)
  const whole = Buffer.concat(chunks)
  if (md5 !== undefined && newHex('MD5', whole) !== md5) throw new S3Error('BadDigest')
  if (sha256 !== undefined && newHex('SHA256', whole) !== sha256) throw new S3Error('XAmzContentSHA256Mismatch')
  return whole
}

/** What `TreeFiles.put` found wrong with a body, by what had been announced of it. */
export function bodyError(error: unknown, exchange: Exchange): unknown {
  if (!(error instanceof FlotillaError) || error.code !== 'CORRUPT') return error
  const isHash = exchange.payload.kind === 'sha256' && exchange.header('content-md5') === undefined
  return new S3Error(isHash ? 'XAmzContentSHA256Mismatch' : 'BadDigest')
}

function newHex(algorithm: 'MD5' | 'SHA256', bytes: Uint8Array): string {
  const checksum = newChecksum(algorithm)
  checksum.update(bytes)
  return checksum.digest().toString('hex')
}

/** Undefined for a body of which nobody has said how long it is. */
function sizeOf(exchange: Exchange): number | undefined {
  const { payload, handed } = exchange
  if (handed !== undefined) return handed.bytes
  const name = payload.kind === 'chunked' ? 'x-amz-decoded-content-length' : 'content-length'
  const text = exchange.header(name)
  if (text === undefined) {
    if (payload.kind === 'chunked' || exchange.header('transfer-encoding') === undefined) {
      throw new S3Error('MissingContentLength')
    }
    return undefined
  }
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', `The header ${name} is no number of bytes.`)
  return Number(text)
}

/** A client may leave the computing of a checksum to the server, which then answers it. */
function wishedIn(exchange: Exchange): ChecksumAlgorithm | undefined {
  const wished = exchange.header('x-amz-checksum-algorithm')?.toUpperCase()
  return wished !== undefined && isChecksumAlgorithm(wished) ? wished : undefined
}

/** Facts: RFC 9110, section 14.5. curl sends `content-range` for `-C`, with the rest of a file that it takes to be here in part. */
function refusePart(exchange: Exchange): void {
  if (exchange.header('content-range') === undefined) return
  throw new S3Error('InvalidRequest', 'A part of a file (content-range) cannot be put: send the whole file.')
}

function namesIn(value: string | undefined): readonly string[] {
  const names = value?.split(',').map((name) => name.trim().toLowerCase())
  return names?.filter((name) => name !== '') ?? []
}

/** Somebody who sends a byte now and then holds a connection and a file: a body has to come at some speed. */
async function* watched(
  exchange: Exchange,
  clock: Clock,
  { bodyBytesPerSecond, slowAfterMs }: BodyOptions['limits'],
): AsyncGenerator<Uint8Array, void> {
  const { request, response } = exchange
  if (request.headers.expect !== undefined) response.writeContinue()
  const begunMs = clock.monotonicMs()
  let bytes = 0
  try {
    // The answer to what is wrong with a body goes over the same connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      yield chunk
      bytes += chunk.byteLength
      const passedMs = clock.monotonicMs() - begunMs
      if (passedMs > slowAfterMs && (bytes * 1000) / passedMs < bodyBytesPerSecond) throw new S3Error('RequestTimeout')
    }
    // Making a large file durable takes its time.
    exchange.takeTime()
  } catch (error) {
    if (error instanceof S3Error || !request.destroyed) throw error
    throw new ClientGone()
  }
}
