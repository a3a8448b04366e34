import type * as Http from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { AgentOptions } from 'node:https'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'

export interface HttpRequest extends Op {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Path and query, encoded, starting with a slash; joined to the path of the base URL. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  /** Of an iterable, a chunk is on its way when the next is asked for: its memory can be used again. Not asked for more once there is an answer. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** May be sent twice, its body iterated over twice. Holds of `GET` and `HEAD` in any case. */
  readonly isRepeatable?: boolean
  /** How long the answer may take, asked for when everything was sent, where that is not the silence of the client. */
  readonly answerMs?: () => number
  /** Hint of the `UNREACHABLE` that is thrown when the connection broke after the request may have arrived. */
  readonly ifLost?: string
}

export interface HttpOptions {
  /** `http://host:port` or `https://…`, with or without a path; without credentials, query and fragment. */
  readonly url: string
  /** How long the other side may be silent, while connecting too, before it counts as gone. */
  readonly silenceMs: number
  /** Certificates in PEM that the other side's own is checked against, instead of the system's. */
  readonly ca?: string | undefined
  /** What to do about a certificate that is not believed, where more is known of that. */
  readonly trustHint?: string | undefined
}

const TRUST_HINT = 'Its certificate has to be of an authority that is known here, and of that very name.'

/**
 * Requests to one origin over kept-alive connections. node:http instead of fetch, and only the protocol that is needed,
 * because an idle agent then holds some twenty megabytes less. Never follows a redirect, so credentials reach only the origin they are meant for.
 */
export class HttpClient {
  readonly url: string
  readonly #base: URL
  readonly #silenceMs: number
  readonly #trustHint: string
  readonly #http: Pick<typeof Http, 'Agent' | 'request'>
  readonly #agent: Http.Agent

  constructor({ url, silenceMs, ca, trustHint = TRUST_HINT }: HttpOptions) {
    this.#base = parseBaseUrl(url)
    this.url = this.#base.href.replace(/\/$/, '')
    this.#silenceMs = silenceMs
    this.#trustHint = trustHint
    // An import statement would run every getter that node:http exports, and one of them loads all of fetch.
    this.#http = process.getBuiltinModule(this.#base.protocol === 'https:' ? 'node:https' : 'node:http')
    const kept: AgentOptions = { keepAlive: true, ...(ca !== undefined && { ca }) }
    this.#agent = new this.#http.Agent(kept)
  }

  /**
   * Resolves with the head of any answer; its body is a stream that the caller must read or destroy.
   * Rejects with `UNREACHABLE`, or with the signal's reason. A request that may be repeated is sent once more when a
   * kept-alive connection turns out to have been closed by the other side; any other is sent once.
   */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    let first: Broken
    try {
      return await this.#exchange(request)
    } catch (error) {
      const isSafe = request.method === 'GET' || request.method === 'HEAD' || request.isRepeatable === true
      if (!(error instanceof Broken) || !error.wasIdle || !isSafe) throw this.#asUnreachable(error, request)
      first = error
    }
    return this.#exchange(request).catch((error: unknown) => {
      throw this.#asUnreachable(error, request, first)
    })
  }

  /** Ends every connection; requests under way are rejected. */
  close(): void {
    this.#agent.destroy()
  }

  #exchange(request: HttpRequest): Promise<IncomingMessage> {
    const { signal, body, answerMs = () => this.#silenceMs } = request
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const sent = this.#start(request)
      const abort = (): void => void sent.destroy(asError(signal?.reason))
      signal?.addEventListener('abort', abort, { once: true })
      sent.on('close', () => signal?.removeEventListener('abort', abort))
      sent.on('response', (answer) => {
        // Whoever reads the body sees its errors; nobody may be reading yet.
        answer.on('error', () => undefined)
        // Whoever answers before everything was sent takes no more.
        answer.on('close', () => {
          if (!sent.writableFinished) sent.destroy()
        })
        resolve(answer)
      })
      let patienceMs = this.#silenceMs
      sent.on('finish', () => sent.setTimeout((patienceMs = answerMs())))
      sent.on('timeout', () => sent.destroy(new Silence(`no answer for ${patienceMs / 1000} s`)))
      sent.on('error', (error) => {
        if (signal?.aborted === true) reject(asError(signal.reason))
        else reject(new Broken(error, sent.reusedSocket && wasReset(error)))
      })
      void transmit(sent, body)
    })
  }

  #start({ method, path, headers, body }: HttpRequest): ClientRequest {
    return this.#http.request({
      protocol: this.#base.protocol,
      host: this.#base.hostname.replace(/^\[|\]$/g, ''),
      port: this.#base.port,
      path: this.#base.pathname.replace(/\/$/, '') + path,
      method,
      agent: this.#agent,
      timeout: this.#silenceMs,
      headers: { ...headers, ...lengthOf(body) },
    })
  }

  /** `first` is what an earlier try broke with, which the other side may have carried out whatever became of the second. */
  #asUnreachable(error: unknown, request: HttpRequest, first?: Broken): unknown {
    if (!(error instanceof Broken)) return error
    const { code = '' } = error.cause as NodeJS.ErrnoException
    if (NOT_TLS.has(code)) {
      return new FlotillaError('UNREACHABLE', `${this.url}: what answers there does not speak TLS`, {
        hint: `If the hub has no TLS, its address is ${this.url.replace('https:', 'http:')}`,
      })
    }
    if (isUntrusted(code)) {
      return new FlotillaError('UNREACHABLE', `${this.url} is not trusted: ${error.message}`, {
        hint: this.#trustHint,
        cause: error.cause,
      })
    }
    const notConnected = NOT_CONNECTED[code]
    return new FlotillaError('UNREACHABLE', `${this.url}: ${notConnected ?? error.message}`, {
      hint:
        (notConnected === undefined || first !== undefined ? request.ifLost : undefined) ??
        'Check that it runs and that the address is right.',
      cause: (first ?? error).cause,
    })
  }
}

/** Reads a whole body, at most `limitBytes`; rejects with `TOO_LARGE` beyond. */
export async function readBody(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > limitBytes) throw new FlotillaError('TOO_LARGE', `the body has more than ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] instanceof Buffer ? chunks[0] : Buffer.concat(chunks)
}

/** Failures after which the other side certainly saw nothing. */
const NOT_CONNECTED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up now',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
}

/** What OpenSSL says of bytes that are no TLS record. */
const NOT_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'EPROTO',
])

/** Of an error that `send` rejected with: the other side certainly saw nothing. */
export function wasNotSent(error: FlotillaError): boolean {
  const { code = '' } = (error.details.cause ?? {}) as NodeJS.ErrnoException
  return code in NOT_CONNECTED
}

/**
 * Of an error of a connection: the certificate of the other side cannot be believed. Sources: nodejs.org/api/tls.html, "X509 certificate error codes",
 * and nodejs.org/api/errors.html, `ERR_TLS_CERT_ALTNAME_INVALID`.
 */
function isUntrusted(code: string): boolean {
  return /^(?:CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|ERR_TLS_CERT_|INVALID_CA$|HOSTNAME_MISMATCH$)/.test(code)
}

class Silence extends Error {}

/** The connection failed before an answer came. */
class Broken extends Error {
  /** It had been kept from an earlier request: the other side may have closed it before this one was sent. */
  readonly wasIdle: boolean

  constructor(cause: Error, wasIdle: boolean) {
    super(cause.message, { cause })
    this.wasIdle = wasIdle
  }
}

function wasReset(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ECONNRESET' || code === 'EPIPE'
}

/** Never rejects: what the body rejects with breaks the request. */
async function transmit(sent: ClientRequest, body: HttpRequest['body']): Promise<void> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    sent.end(body)
    return
  }
  let isOver = false
  let goOn: (() => void) | undefined
  const end = (): void => {
    isOver = true
    goOn?.()
  }
  sent.on('close', end)
  sent.on('response', end)
  try {
    for await (const chunk of body) {
      await new Promise<void>((resolve) => {
        goOn = resolve
        if (isOver) resolve()
        else sent.write(chunk, () => resolve())
      })
      if (isOver) return
    }
    sent.end()
  } catch (error) {
    sent.destroy(asError(error))
  }
}

function lengthOf(body: HttpRequest['body']): Readonly<Record<string, number>> {
  if (typeof body === 'string') return { 'content-length': Buffer.byteLength(body) }
  return body instanceof Uint8Array ? { 'content-length': body.byteLength } : {}
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function parseBaseUrl(text: string): URL {
  const hint = 'It looks like http://127.0.0.1:8470 or https://hub.example.org.'
  if (!URL.canParse(text)) throw new FlotillaError('USAGE', `"${text}" is not a URL`, { hint })
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FlotillaError('USAGE', `"${text}" is neither http nor https`, { hint })
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new FlotillaError('USAGE', 'the URL holds credentials, a query or a fragment', { hint })
  }
  return url
}
