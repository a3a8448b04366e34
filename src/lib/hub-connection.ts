import type { IncomingMessage } from 'node:http'
import { API_HEADER, type ErrorBody } from '../core/api.ts'
import { ERRORS, type ErrorCode, FlotillaError } from '../core/errors.ts'
import { HttpOfSeveral } from './http-several.ts'
import { type HttpRequest, readBody } from './http.ts'
import type { Secret } from './secret.ts'

export interface HubConnectionOptions {
  /** Of several hubs over one store, with commas between: each is as good as the others. */
  readonly url: string
  /** Absent only for joining, whose code is the credential. */
  readonly token?: Secret | undefined
  /** The fencing token that goes with every request that may change something. */
  readonly fence?: string | undefined
  /** How long the hub may be silent before it counts as gone. Its watches say something at least every 5 s. */
  readonly silenceMs?: number | undefined
  /** The largest JSON answer that is read. */
  readonly answerBytes?: number | undefined
}

export interface JsonRequest extends Omit<HttpRequest, 'body'> {
  readonly json?: object | undefined
  /** Sent as they are, in place of JSON. */
  readonly bytes?: HttpRequest['body']
}

const SILENCE_MS = 15_000
const ANSWER_BYTES = 256 * 1024 * 1024
const ERROR_BYTES = 4 * 1024 * 1024

/** Speaks with a hub: sends the token, turns error answers back into the `FlotillaError` the hub threw. */
export class HubConnection {
  readonly #http: HttpOfSeveral
  readonly #token: Secret | undefined
  readonly #fence: string | undefined
  readonly #answerBytes: number

  constructor({ url, token, fence, silenceMs = SILENCE_MS, answerBytes = ANSWER_BYTES }: HubConnectionOptions) {
    this.#http = new HttpOfSeveral({ url, silenceMs })
    this.#token = token
    this.#fence = fence
    this.#answerBytes = answerBytes
  }

  /** Of the hub that is asked next. */
  get url(): string {
    return this.#http.url
  }

  /** One call of the API, JSON in and out; undefined for an answer without a body. */
  async json<Answer>(request: JsonRequest): Promise<Answer> {
    const { json, bytes, ...rest } = request
    const { headers, ...body } = bodyOf(json, bytes)
    const answer = await this.open({ ...rest, ...body, headers: { ...headers, ...request.headers } })
    if (answer.headers[API_HEADER] === undefined) {
      answer.destroy()
      throw this.#noHub(answer)
    }
    const text = await this.#read(answer, request, this.#answerBytes)
    if (text.byteLength === 0) return undefined as Answer
    try {
      return JSON.parse(text.toString('utf8')) as Answer
    } catch (error) {
      throw this.#noHub(answer, error)
    }
  }

  /** Resolves with a successful answer, whose body the caller reads or destroys; rejects with what the hub says else. */
  async open(request: HttpRequest): Promise<IncomingMessage> {
    const authorization = this.#token && { authorization: `Bearer ${this.#token.reveal()}` }
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const fence = isRead || this.#fence === undefined ? {} : { fence: this.#fence }
    const answer = await this.#http.send({ ...request, headers: { ...request.headers, ...fence, ...authorization } })
    const status = answer.statusCode ?? 0
    if (status >= 200 && status < 300) return answer
    const failure = await this.#failure(answer, status, request)
    // A hub that is stopping says so; the others over its store go on.
    if (failure.code === 'NOT_READY') this.#http.leave(this.url)
    throw failure
  }

  close(): void {
    this.#http.close()
  }

  async #failure(answer: IncomingMessage, status: number, request: HttpRequest): Promise<FlotillaError> {
    // An answer to HEAD has no body to say more.
    if (request.method === 'HEAD') answer.resume()
    if (request.method === 'HEAD' && status === 404)
      return new FlotillaError('NOT_FOUND', 'there is nothing under that name')
    const bytes = await this.#read(answer, request, ERROR_BYTES)
    const error = parseError(bytes.toString('utf8'))
    if (error === undefined) return this.#noHub(answer)
    const { code, message, hint, problems, conflict } = error
    return new FlotillaError(code, message, { hint, conflict, ...(problems && { problems }) })
  }

  async #read(answer: IncomingMessage, request: HttpRequest, limitBytes: number): Promise<Buffer> {
    try {
      return await readBody(answer, limitBytes)
    } catch (error) {
      request.signal?.throwIfAborted()
      if (error instanceof FlotillaError) throw error
      throw new FlotillaError('UNREACHABLE', `${this.url}: the answer broke off`, {
        hint: request.ifLost,
        cause: error,
      })
    }
  }

  #noHub({ statusCode, headers }: IncomingMessage, cause?: unknown): FlotillaError {
    const type = headers['content-type']?.split(';')[0]
    const what = `it answered ${statusCode}${sample(', ', type)}${sample(', as ', String(headers['server'] ?? ''))}`
    return new FlotillaError('UNREACHABLE', `${this.url} does not answer like a Flotilla hub: ${what}`, {
      hint: 'Check the address; a proxy in between may answer in its place.',
      cause,
    })
  }
}

const SAMPLE_CHARS = 60

function sample(before: string, text = ''): string {
  return text === '' ? '' : before + text.slice(0, SAMPLE_CHARS)
}

/** `/v1/trees/x?limit=3` with everything encoded; undefined values are left out. */
export function apiPath(
  parts: readonly (string | number)[],
  query: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> = {},
): string {
  const path = parts.map((part) => encodeURIComponent(part)).join('/')
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const values = value === undefined ? [] : typeof value === 'object' ? value : [value]
    return values.map((each) => `${encodeURIComponent(name)}=${encodeURIComponent(each)}`)
  })
  return `/v1/${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
}

function bodyOf(json: object | undefined, bytes: HttpRequest['body']): Pick<HttpRequest, 'body' | 'headers'> {
  if (json !== undefined) return { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }
  return bytes === undefined ? {} : { body: bytes, headers: { 'content-type': 'application/octet-stream' } }
}

function parseError(text: string): ErrorBody['error'] | undefined {
  let body: Partial<ErrorBody> | null
  try {
    body = JSON.parse(text) as Partial<ErrorBody> | null
  } catch {
    return undefined
  }
  const error = body?.error
  return error !== undefined && isErrorCode(error.code) && typeof error.message === 'string' ? error : undefined
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code)
}
