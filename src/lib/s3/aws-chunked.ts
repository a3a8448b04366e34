import { createHash, type Hash, hash } from 'node:crypto'
import { ALGORITHM, EMPTY_SHA256, hmacHex, isSame } from './canonical.ts'
import { S3Error } from './errors.ts'
import type { ChunkSeed } from './signed-request.ts'

export interface AwsChunkedOptions {
  /** Where there is one, every chunk and the trailer are signed. */
  readonly seed?: ChunkSeed | undefined
  /** Chunks are signed, and there is nothing to check that with: what is open to anybody is so to those who sign as well. */
  readonly isUnchecked?: boolean | undefined
  readonly hasTrailer: boolean
  /** `x-amz-decoded-content-length` */
  readonly decodedLength: number
  /** `x-amz-trailer`: what may, and has to, come after the body. Lower-case names. */
  readonly announced: readonly string[]
}

const LINE_MAX = 2048
const TRAILERS_MAX = 16

/**
 * The body inside of `Content-Encoding: aws-chunked`. Yields what it is given without copying; a chunk is verified when its
 * end has been seen, so nothing of the body may be believed before the iteration has ended well. Rejects with an `S3Error`:
 * `SignatureDoesNotMatch`, `IncompleteBody`, `InvalidChunkSizeError`, `MalformedTrailerError`. Can be iterated once.
 * facts: Amazon S3 API Reference, "Signature calculations for the Authorization header: transferring payload in multiple chunks".
 */
export class AwsChunkedBody implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>
  readonly #parser: Parser

  constructor(source: AsyncIterable<Uint8Array>, options: AwsChunkedOptions) {
    this.#source = source
    this.#parser = new Parser(options)
  }

  /** What came after the body; complete when the iteration has ended. */
  get trailers(): ReadonlyMap<string, string> {
    return this.#parser.trailers
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for await (const bytes of this.#source) yield* this.#parser.push(bytes)
    this.#parser.end()
  }
}

class Parser {
  readonly trailers = new Map<string, string>()
  readonly #options: AwsChunkedOptions
  readonly #signatures: ChunkSignatures | undefined
  #state: 'size' | 'data' | 'data-end' | 'last-end' | 'trailer' | 'done' = 'size'
  /** The begin of a line of which the end has not been seen. */
  #line = ''
  #leftInChunk = 0
  #left: number

  constructor(options: AwsChunkedOptions) {
    this.#options = options
    this.#left = options.decodedLength
    this.#signatures = options.seed === undefined ? undefined : new ChunkSignatures(options.seed)
  }

  *push(bytes: Uint8Array): Generator<Uint8Array, void> {
    let at = 0
    while (at < bytes.byteLength) {
      if (this.#state === 'done') throw this.#malformed()
      if (this.#state === 'data') {
        const data = bytes.subarray(at, at + this.#leftInChunk)
        at += data.byteLength
        this.#take(data)
        yield data
      } else at = this.#readLine(bytes, at)
    }
  }

  end(): void {
    // Nothing is left open behind the signature of the trailer but an empty line.
    const isWhole = this.#state === 'done' || (this.#signatures?.isTrailerSigned === true && this.#line === '')
    if (!isWhole) throw new S3Error('IncompleteBody', 'The body ended before its last chunk.')
  }

  #take(data: Uint8Array): void {
    this.#signatures?.update(data)
    this.#leftInChunk -= data.byteLength
    this.#left -= data.byteLength
    if (this.#leftInChunk === 0) this.#state = 'data-end'
  }

  /** Takes what belongs to the line; answers where the next begins. */
  #readLine(bytes: Uint8Array, start: number): number {
    const newline = bytes.indexOf(10, start)
    const end = newline === -1 ? bytes.byteLength : newline
    if (this.#line.length + end - start > LINE_MAX) throw this.#malformed()
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
    if (newline === -1) return end
    const line = this.#line
    this.#line = ''
    this.#onLine(line)
    return newline + 1
  }

  #onLine(line: string): void {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    if (this.#state === 'trailer') this.#onTrailer(text)
    else if (text === line) throw this.#malformed()
    else if (this.#state === 'size') this.#onSize(text)
    else if (text !== '') throw this.#malformed()
    else if (this.#state === 'last-end') this.#state = 'done'
    else {
      this.#signatures?.check()
      this.#state = 'size'
    }
  }

  #onSize(text: string): void {
    const isSigned = this.#signatures !== undefined || this.#options.isUnchecked === true
    const form = isSigned ? SIGNED_SIZE : UNSIGNED_SIZE
    const [, digits, signature = ''] = form.exec(text) ?? []
    if (digits === undefined) throw this.#malformed()
    const size = Number.parseInt(digits, 16)
    if (size > this.#left || (size === 0 && this.#left > 0)) throw new S3Error('IncompleteBody', LENGTH)
    this.#signatures?.expect(signature)
    this.#leftInChunk = size
    if (size > 0) this.#state = 'data'
    else {
      this.#signatures?.check()
      this.#state = this.#options.hasTrailer ? 'trailer' : 'last-end'
    }
  }

  #onTrailer(text: string): void {
    if (text === '') {
      // Some end the line of a trailer with \n and a further \r\n before the signature.
      if (this.#signatures === undefined) this.#checkComplete()
      if (this.#signatures?.isTrailerSigned !== false) this.#state = 'done'
      return
    }
    const colon = text.indexOf(':')
    const name = text.slice(0, colon).toLowerCase()
    const value = text.slice(colon + 1).trim()
    if (colon < 1) throw this.#malformed()
    if (name === TRAILER_SIGNATURE && this.#signatures !== undefined) {
      this.#checkComplete()
      this.#signatures.checkTrailers(value, this.trailers)
      return
    }
    if (name === TRAILER_SIGNATURE && this.#options.isUnchecked === true) return
    const isExpected = this.#options.announced.includes(name) && !this.trailers.has(name)
    if (!isExpected || this.#signatures?.isTrailerSigned === true || this.trailers.size >= TRAILERS_MAX) {
      throw this.#malformed()
    }
    this.trailers.set(name, value)
  }

  #checkComplete(): void {
    const missing = this.#options.announced.find((name) => !this.trailers.has(name))
    if (missing !== undefined) throw new S3Error('MalformedTrailerError', `The trailer ${missing} did not come.`)
  }

  #malformed(): S3Error {
    if (this.#state === 'trailer') return new S3Error('MalformedTrailerError')
    if (this.#state === 'size') return new S3Error('InvalidChunkSizeError', 'The head of a chunk is not well-formed.')
    return new S3Error('IncompleteBody', 'The chunks of the body are not well-formed.')
  }
}

const UNSIGNED_SIZE = /^([0-9a-f]{1,12})$/i
const SIGNED_SIZE = /^([0-9a-f]{1,12});chunk-signature=([0-9a-f]{64})$/i
const TRAILER_SIGNATURE = 'x-amz-trailer-signature'
const LENGTH = 'The chunks do not add up to x-amz-decoded-content-length.'

/** Each signature covers the one before. */
class ChunkSignatures {
  isTrailerSigned = false
  readonly #seed: ChunkSeed
  #previous: string
  #expected = ''
  #hash: Hash = createHash('sha256')

  constructor(seed: ChunkSeed) {
    this.#seed = seed
    this.#previous = seed.signature
  }

  expect(signature: string): void {
    this.#expected = signature.toLowerCase()
    this.#hash = createHash('sha256')
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  check(): void {
    this.#verify(this.#expected, 'PAYLOAD', `${EMPTY_SHA256}\n${this.#hash.digest('hex')}`)
  }

  checkTrailers(signature: string, trailers: ReadonlyMap<string, string>): void {
    if (this.isTrailerSigned) throw new S3Error('MalformedTrailerError')
    const text = [...trailers].map(([name, value]) => `${name}:${value}\n`).join('')
    this.#verify(signature, 'TRAILER', hash('sha256', Buffer.from(text, 'latin1')))
    this.isTrailerSigned = true
  }

  #verify(signature: string, kind: string, what: string): void {
    const { key, dateTime, scope } = this.#seed
    const actual = hmacHex(key, `${ALGORITHM}-${kind}\n${dateTime}\n${scope}\n${this.#previous}\n${what}`)
    if (!isSame(signature, actual)) {
      throw new S3Error('SignatureDoesNotMatch', 'A chunk of the body, or its trailer, is not what was signed.')
    }
    this.#previous = actual
  }
}
