import { isError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import { type FileSource, type HttpRange, type ListScope, WHOLE_BYTES_MAX } from '../../core/files/source.ts'
import type { Op } from '../../core/op.ts'
import type { Clock } from '../../core/clock.ts'
import { changed, type Part, partHeaders, partOf, wholeOf } from '../../lib/file-answers.ts'
import { S3Connection } from './connection.ts'
import { Listing } from './listing.ts'
import type { S3Location } from './location.ts'

export interface S3SourceOptions extends S3Location {
  readonly clock: Clock
  /** How many requests are under way at once; 64 unless told. */
  readonly connections?: number | undefined
  /** How many of them list; 16 unless told. */
  readonly listings?: number | undefined
  /** How long the other side may be silent before it counts as gone; 30 s unless told. */
  readonly silenceMs?: number | undefined
  /** For services that list in another order than that of the bytes of a key. */
  readonly isUnsorted?: boolean | undefined
  /** More keys than this are refused; 100 million unless told. */
  readonly keysMax?: number | undefined
  /**
   * Whether an ETag that looks like an MD5 is one: not where a bucket is encrypted with a key of its own (SSE-KMS, SSE-C). Unless told, it is
   * found out at Amazon, by one request, and believed elsewhere.
   */
  readonly isEtagMd5?: boolean | undefined
  /** How long an answer takes from where on a long listing is asked for in several pieces at once; 15 ms unless told. */
  readonly slowMs?: number | undefined
}

/** The files of a bucket, or of a folder in it, in any service that speaks S3. */
export function openS3Source(options: S3SourceOptions): FileSource {
  return new S3Source(options)
}

class S3Source implements FileSource {
  readonly name: string
  readonly sorted: boolean
  readonly #connection: S3Connection
  readonly #listing: Listing
  readonly #prefix: string
  /** Undefined while it is not known. */
  #isEtagMd5: boolean | undefined

  constructor(options: S3SourceOptions) {
    const { endpoint, bucket, prefix, clock } = options
    this.name = `s3 ${endpoint}/${bucket}${prefix === '' ? '' : `/${prefix}`}`
    this.sorted = options.isUnsorted !== true
    this.#prefix = prefix
    this.#isEtagMd5 = options.isEtagMd5 ?? (options.isAws ? undefined : true)
    this.#connection = new S3Connection({
      location: options,
      name: this.name,
      nowMs: () => clock.nowMs(),
      connections: options.connections ?? 64,
      silenceMs: options.silenceMs ?? 30_000,
    })
    this.#listing = new Listing({
      connection: this.#connection,
      bucket,
      base: prefix,
      isSorted: this.sorted,
      parallel: options.listings ?? 16,
      keysMax: options.keysMax ?? 100_000_000,
      slowMs: options.slowMs ?? 15,
      monotonicMs: () => clock.monotonicMs(),
    })
  }

  async *list(scope: ListScope & Op): AsyncGenerator<readonly FileEntry[], void> {
    for await (const page of this.#listing.list(scope)) {
      this.#isEtagMd5 ??= await this.#seesMd5(page, scope)
      yield this.#isEtagMd5 === false ? page.map((entry) => ({ ...entry, md5: undefined })) : page
    }
  }

  async open(
    entry: FileEntry,
    { start = 0, end = entry.size, signal }: Op & { readonly start?: number; readonly end?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const part: Part = { entry, start, end: Math.min(end, entry.size) }
    if (part.start >= part.end && entry.size > 0) return nothing()
    const key = this.#prefix + entry.key
    const answer = await this.#connection.send({ method: 'GET', key, headers: partHeaders(part), signal })
    return await partOf(answer, part, this.name)
  }

  range(entry: FileEntry, part: { readonly start: number; readonly end: number }): HttpRange | undefined {
    const key = this.#prefix + entry.key
    return this.#connection.plain({ method: 'GET', key, headers: partHeaders({ entry, ...part }) })
  }

  async whole(entry: FileEntry, { signal }: Op = {}): Promise<Uint8Array> {
    const headers = partHeaders({ entry, start: 0, end: entry.size })
    const request = { method: 'GET', key: this.#prefix + entry.key, headers, signal } as const
    try {
      return await wholeOf(await this.#connection.whole(request, WHOLE_BYTES_MAX), entry, this.name)
    } catch (error) {
      throw isError(error, 'TOO_LARGE') ? changed(entry.key, this.name) : error
    }
  }

  /** Whether the first that looks like one is: told by how it is encrypted. What cannot be looked at is not believed. */
  async #seesMd5(page: readonly FileEntry[], { signal }: Op): Promise<boolean | undefined> {
    const entry = page.find(({ md5 }) => md5 !== undefined)
    if (entry === undefined) return undefined
    const answer = await this.#connection.send({ method: 'HEAD', key: this.#prefix + entry.key, signal })
    await answer.discard()
    const encryption = answer.header('x-amz-server-side-encryption') ?? ''
    return answer.status === 200 && !encryption.startsWith('aws:kms')
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}
