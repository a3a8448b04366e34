import type { FlotillaError } from '../../core/errors.ts'
import type { HttpRange } from '../../core/files/source.ts'
import type { Op } from '../../core/op.ts'
import { failureOf } from '../../lib/file-answers.ts'
import { HttpPool, type PoolAnswer, type PoolRequest, readAnswer } from '../../lib/http-pool.ts'
import type { WholeAnswer } from '../../lib/http-whole.ts'
import { canonicalQuery, UNSIGNED_PAYLOAD } from '../../lib/s3/canonical.ts'
import { Signer } from '../../lib/s3/sign.ts'
import { type Parameter, uriEncodePath } from '../../lib/s3/target.ts'
import { inRegion, type S3Location } from './location.ts'

export interface ConnectionOptions {
  readonly location: S3Location
  /** For messages; no secret in it. */
  readonly name: string
  readonly nowMs: () => number
  /** How many requests are under way at once. */
  readonly connections: number
  readonly silenceMs: number
}

export interface S3Request extends Op {
  readonly method: 'GET' | 'HEAD'
  /** In the bucket; empty for the bucket itself. */
  readonly key: string
  readonly query?: readonly Parameter[]
  readonly headers?: Readonly<Record<string, string>>
}

const REGION = 'us-east-1'
const ERROR_BYTES = 64 * 1024
/** What a service answers that knows the bucket in another region. */
const ELSEWHERE: ReadonlySet<number> = new Set([301, 307, 400])
/** A bucket is in one region; told of more than that and one correction, a client would open connections without end. */
const ROUTES_MAX = 3

/**
 * Sends requests to one bucket, signed where there are credentials. A service that tells the bucket's region is asked once more, signed
 * for that region; only at Amazon does that mean another host, which is made of the region's name and never taken from the answer.
 */
export class S3Connection {
  readonly #options: ConnectionOptions
  /** All that have been tried: requests may be under way on any. */
  readonly #routes: Route[] = []
  #route: Route

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#route = this.#add(options.location)
  }

  async send(request: S3Request): Promise<PoolAnswer> {
    const route = this.#route
    const answer = await route.send(request)
    if (!ELSEWHERE.has(answer.status)) return answer
    const body = await readAnswer(answer, ERROR_BYTES).catch(() => Buffer.alloc(0))
    if (!this.#learn(route, answer, body)) return { ...answer, body: once(body) }
    return await this.#route.send(request)
  }

  /** As `send`, for an answer of at most so many bytes. */
  async whole(request: S3Request, limitBytes: number): Promise<WholeAnswer> {
    const answer = await this.#route.whole(request, limitBytes)
    if (!ELSEWHERE.has(answer.status) || !this.#learn(this.#route, answer, answer.bytes)) return answer
    return await this.#route.whole(request, limitBytes)
  }

  /** The same request for who sends it in another way; undefined where that needs more than plain HTTP. */
  plain(request: S3Request): HttpRange | undefined {
    return this.#route.plain(request)
  }

  async failure(answer: PoolAnswer, what: string): Promise<FlotillaError> {
    return await failureOf(answer, what, this.#options.name)
  }

  async close(): Promise<void> {
    await Promise.all(this.#routes.map((route) => route.close()))
  }

  /** Takes another route where an answer on this one tells of another region. */
  #learn(route: Route, answer: PoolAnswer, body: Uint8Array): boolean {
    const text = Buffer.from(body).toString('latin1')
    const region = answer.header('x-amz-bucket-region') ?? /<Region>([\w-]{1,40})<\/Region>/.exec(text)?.[1]
    if (region === undefined || region === route.region) return false
    const { location } = route
    // Another request may have found out meanwhile.
    if (this.#route === route) {
      if (this.#routes.length === ROUTES_MAX) return false
      this.#route = this.#add(location.isAws ? inRegion(location, region) : { ...location, region })
    }
    return true
  }

  #add(location: S3Location): Route {
    const route = new Route(this.#options, location)
    this.#routes.push(route)
    return route
  }
}

/** The way to a bucket while its region is believed to be the one of the location. */
class Route {
  readonly location: S3Location
  readonly region: string
  readonly #host: string
  readonly #origin: string
  readonly #base: string
  readonly #pool: HttpPool
  readonly #signer: Signer | undefined
  readonly #nowMs: () => number

  constructor({ name, nowMs, connections, silenceMs }: ConnectionOptions, location: S3Location) {
    const { bucket, credentials, region = REGION } = location
    const url = new URL(location.endpoint)
    const isVirtual = location.style === 'virtual' && bucket !== ''
    this.location = location
    this.region = region
    this.#host = isVirtual ? `${bucket}.${url.host}` : url.host
    this.#base = isVirtual || bucket === '' ? '/' : `/${uriEncodePath(bucket)}/`
    this.#origin = `${url.protocol}//${this.#host}`
    this.#pool = new HttpPool({ origin: this.#origin, name, connections, silenceMs })
    this.#signer = credentials === undefined ? undefined : new Signer(credentials, region)
    this.#nowMs = nowMs
  }

  async send(request: S3Request): Promise<PoolAnswer> {
    return await this.#pool.send(this.#signed(request))
  }

  plain(request: S3Request): HttpRange | undefined {
    if (!this.#origin.startsWith('http:')) return undefined
    const { path, headers = {} } = this.#signed(request)
    return { origin: this.#origin, path, headers }
  }

  async whole(request: S3Request, limitBytes: number): Promise<WholeAnswer> {
    return await this.#pool.whole(this.#signed(request), limitBytes)
  }

  #signed({ method, key, query = [], headers = {}, signal }: S3Request): PoolRequest {
    const { apikey } = this.location
    const path = this.#base + uriEncodePath(key)
    const all = apikey === undefined ? query : [...query, ['apikey', apikey.reveal()] as const]
    const target = all.length === 0 ? path : `${path}?${canonicalQuery(all)}`
    if (this.#signer === undefined) return { method, path: target, headers, signal }
    const signed = this.#signer.sign({
      method,
      path,
      query: all,
      headers: { ...headers, host: this.#host },
      payload: UNSIGNED_PAYLOAD,
      nowMs: this.#nowMs(),
    })
    return { method, path: target, headers: signed, signal }
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}
