import { Agent as PlainAgent, type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { Readable } from 'node:stream'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'

export interface HttpRequest extends Op {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Path and query, encoded, starting with a slash; joined to the path of the base URL. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
  /** Hint of the `UNREACHABLE` that is thrown when the connection broke after the request may have arrived. */
  readonly ifLost?: string
}

export interface HttpOptions {
  /** `http://host:port` or `https://…`, with or without a path; without credentials, query and fragment. */
  readonly url: string
  /** How long the other side may be silent, while connecting too, before it counts as gone. */
  readonly silenceMs: number
}

/**
 * Requests to one origin over kept-alive connections. node:http instead of fetch, because an idle agent then holds some
 * megabytes less. Never follows a redirect, so credentials reach only the origin they are meant for.
 */
export class HttpClient {
  readonly url: string
  readonly #base: URL
  readonly #silenceMs: number
  readonly #agent: PlainAgent

  constructor({ url, silenceMs }: HttpOptions) {
    this.#base = parseBaseUrl(url)
    this.url = this.#base.href.replace(/\/$/, '')
    this.#silenceMs = silenceMs
    this.#agent = new (this.#base.protocol === 'https:' ? SecureAgent : PlainAgent)({ keepAlive: true })
  }

  /**
   * Resolves with the head of any answer; its body is a stream that the caller must read or destroy.
   * Rejects with `UNREACHABLE`, or with the signal's reason. A request that carries no effect is sent once more when a
   * kept-alive connection turns out to have been closed by the other side; any other is sent once.
   */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    const attempt = async (): Promise<IncomingMessage> => this.#exchange(request)
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Lost)) throw error
      if (error.wasIdle && (request.method === 'GET' || request.method === 'HEAD')) return attempt().catch(reveal)
      throw error.told
    }
  }

  /** Ends every connection; requests under way are rejected. */
  close(): void {
    this.#agent.destroy()
  }

  #exchange(request: HttpRequest): Promise<IncomingMessage> {
    const { signal, body } = request
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const sent = this.#start(request)
      const abort = (): void => void sent.destroy(asError(signal?.reason))
      signal?.addEventListener('abort', abort, { once: true })
      sent.on('close', () => signal?.removeEventListener('abort', abort))
      sent.on('response', (answer) => {
        // Whoever reads the body sees its errors; nobody may be reading yet.
        answer.on('error', () => undefined)
        resolve(answer)
      })
      sent.on('timeout', () => sent.destroy(new Silence(`no answer for ${this.#silenceMs / 1000} s`)))
      sent.on('error', (error) => {
        if (signal?.aborted === true) reject(asError(signal.reason))
        else reject(new Lost(this.#unreachable(error, request), sent.reusedSocket && wasReset(error)))
      })
      transmit(sent, body)
    })
  }

  #start({ method, path, headers, body }: HttpRequest): ClientRequest {
    const start = this.#base.protocol === 'https:' ? secureRequest : plainRequest
    return start({
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

  #unreachable(error: Error, request: HttpRequest): FlotillaError {
    const never = NOT_CONNECTED[(error as NodeJS.ErrnoException).code ?? '']
    const hint = never === undefined ? request.ifLost : undefined
    return new FlotillaError('UNREACHABLE', `${this.url}: ${never ?? error.message}`, {
      hint: hint ?? 'Check that it runs and that the address is right.',
      cause: error,
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

class Silence extends Error {}

/** Carries an error through `send` together with whether asking once more makes sense. */
class Lost extends Error {
  readonly told: FlotillaError
  readonly wasIdle: boolean

  constructor(told: FlotillaError, wasIdle: boolean) {
    super(told.message)
    this.told = told
    this.wasIdle = wasIdle
  }
}

function reveal(error: unknown): never {
  throw error instanceof Lost ? error.told : error
}

function wasReset(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ECONNRESET' || code === 'EPIPE'
}

function transmit(sent: ClientRequest, body: HttpRequest['body']): void {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    sent.end(body)
    return
  }
  const source = Readable.from(body, { objectMode: false })
  source.on('error', (error) => sent.destroy(error))
  sent.on('close', () => source.destroy())
  source.pipe(sent)
}

function lengthOf(body: HttpRequest['body']): Readonly<Record<string, number>> {
  if (typeof body === 'string') return { 'content-length': Buffer.byteLength(body) }
  return body instanceof Uint8Array ? { 'content-length': body.byteLength } : {}
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function parseBaseUrl(text: string): URL {
  const hint = 'It looks like http://127.0.0.1:7400 or https://hub.example.org.'
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
