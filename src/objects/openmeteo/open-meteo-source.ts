import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import type { FileSource, ListScope } from '../../core/files/source.ts'
import type { Op } from '../../core/op.ts'
import { type Authorize, authorizer, type FileCredentials, originOf } from '../../lib/file-access.ts'
import { failureOf, isNothing, nothing } from '../../lib/file-answers.ts'
import { HttpPool, type PoolAnswer, type PoolRequest } from '../../lib/http-pool.ts'
import type { Secret } from '../../lib/secret.ts'
import { uriEncode, uriEncodePath } from '../../lib/s3/target.ts'
import { walkFolders } from './folder-walk.ts'
import { type Listed, listedIn } from './listing-body.ts'
import { RangedReads } from './ranged-reads.ts'

export interface OpenMeteoSourceOptions {
  /** Such as `https://openmeteo.s3.amazonaws.com/`, with the path of the bucket where it is not the root. */
  readonly server: string
  /** Goes into the query, where these servers expect it, and nowhere else. */
  readonly apikey?: Secret | undefined
  /** For servers that want signatures. */
  readonly credentials?: FileCredentials | undefined
  /** For the dates of signatures. */
  readonly nowMs: () => number
  /** How many requests are under way at once; 16 unless told. */
  readonly connections?: number | undefined
  /** How many folders are listed at once; 4 unless told. */
  readonly lists?: number | undefined
  /** How long the server may be silent before it counts as gone; 30 s unless told. */
  readonly silenceMs?: number | undefined
}

const CONNECTIONS = 16
const LISTS = 4
const SILENCE_MS = 30_000
/** What Open-Meteo's own client signs with. */
const REGION = 'us-west-2'

/**
 * A server of Open-Meteo, or a bucket laid out like its. Listed folder by folder, as those servers want it, entering only what the scope
 * enters; in no order. Their ETags are missing in listings and not compared on requests, so what comes is watched over here: every answer has to
 * be of the same file, and a last look makes sure that it still is. They answer 500 for a file that is gone, which therefore
 * rejects with `NOT_FOUND`: list again before it is tried again.
 */
export function openOpenMeteoSource(options: OpenMeteoSourceOptions): FileSource {
  return new OpenMeteoSource(options)
}

class OpenMeteoSource implements FileSource {
  readonly name: string
  readonly sorted = false
  readonly #pool: HttpPool
  readonly #base: string
  readonly #apikey: Secret | undefined
  readonly #authorize: Authorize
  readonly #lists: number
  readonly #reads: RangedReads

  constructor(options: OpenMeteoSourceOptions) {
    const { server, apikey, credentials, connections = CONNECTIONS, silenceMs = SILENCE_MS } = options
    const { origin, pathname } = originOf(server)
    this.name = `open-meteo ${origin}${pathname}`
    this.#pool = new HttpPool({ origin, name: this.name, connections, silenceMs })
    this.#base = pathname.endsWith('/') ? pathname : `${pathname}/`
    this.#apikey = apikey
    const signed = credentials !== undefined && 'accessKey' in credentials
    this.#authorize = authorizer(signed ? { region: REGION, ...credentials } : credentials, origin, options.nowMs)
    this.#lists = options.lists ?? LISTS
    this.#reads = new RangedReads(this.name, async (method, key, headers, signal) =>
      this.#send({ method, path: `${this.#base}${uriEncodePath(key)}`, headers, signal }),
    )
  }

  async *list({ prefixes, enters, signal }: ListScope & Op): AsyncGenerator<readonly FileEntry[], void> {
    yield* walkFolders({
      name: this.name,
      lists: this.#lists,
      listPage: (folder, token) => this.#listPage(folder, token, signal),
      ...(prefixes && { prefixes }),
      ...(enters && { enters }),
    })
  }

  async open(
    entry: FileEntry,
    { start = 0, end = entry.size, signal }: Op & { readonly start?: number; readonly end?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const part = { entry, start, end: Math.min(end, entry.size) }
    return isNothing(part) ? nothing() : await this.#reads.open(part, signal)
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async *#listPage(
    folder: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Listed, string | undefined> {
    const goesOn = token === undefined ? '' : `&continuation-token=${uriEncode(token)}`
    // In the order of Open-Meteo's own client.
    const path = `${this.#base}?list-type=2&delimiter=%2F&prefix=${uriEncode(folder)}${goesOn}`
    const answer = await this.#send({ method: 'GET', path, signal })
    if (answer.status === 200) return yield* listedIn(answer.body, this.name)
    const failure = await failureOf(answer, `the listing of ${folder === '' ? 'everything' : folder}`, this.name)
    if (folder !== '' || failure.code !== 'FORBIDDEN') throw failure
    throw new FlotillaError('FORBIDDEN', failure.message, {
      hint: 'Older servers list no more than folders below data/: name what is wanted, or check the key.',
    })
  }

  async #send(request: PoolRequest): Promise<PoolAnswer> {
    const { path } = request
    const key = this.#apikey && `${path.includes('?') ? '&' : '?'}apikey=${uriEncode(this.#apikey.reveal())}`
    const asked = { ...request, path: `${path}${key ?? ''}` }
    return await this.#pool.send({ ...asked, headers: this.#authorize(asked) })
  }
}
