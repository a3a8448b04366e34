import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import { GRPC, GrpcError } from './grpc-error.ts'
import { framed, Frames } from './grpc-frames.ts'

export interface TlsOptions {
  /** In PEM. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export interface GrpcConnectionOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string
  readonly tls: TlsOptions
  readonly clock: Clock
  /** A call that costs nothing, to hear whether the other side still lives. */
  readonly probe: Rpc
  /** Told once, when the connection is over, by whatever cause. */
  readonly onEnd: (connection: GrpcConnection) => void
}

export interface Rpc {
  /** `/etcdserverpb.KV/Range` */
  readonly path: string
  readonly message: Uint8Array
}

export interface CallOptions {
  readonly metadata: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** For the whole answer. */
  readonly limitMs?: number
}

const CONNECT_MS = 2000
const TICK_MS = 500
/** Nothing was heard for this many ticks: the other side is gone, whatever TCP thinks. */
const SILENT_TICKS_MAX = 6
const STREAM_WINDOW = 1024 * 1024
const CONNECTION_WINDOW = 16 * 1024 * 1024

interface Call {
  readonly stream: ClientHttp2Stream
  readonly endsMs: number
}

/**
 * gRPC over one HTTP/2 connection, as far as etcd needs it: no compression, no retries. What hears nothing for three seconds,
 * not even the answer to a probe, is over: a frozen server keeps its connections open for ever.
 */
export class GrpcConnection {
  readonly url: string
  readonly #options: GrpcConnectionOptions
  readonly #session: ClientHttp2Session
  readonly #over = new AbortController()
  readonly #calls = new Set<Call>()
  #silentTicks = 0

  private constructor(options: GrpcConnectionOptions, session: ClientHttp2Session) {
    this.url = options.url
    this.#options = options
    this.#session = session
    session.on('close', () => this.#end(new GrpcError(GRPC.UNAVAILABLE, `${this.url}: the connection was closed`)))
    session.on('goaway', () => this.#end(new GrpcError(GRPC.UNAVAILABLE, `${this.url}: the server is stopping`)))
    session.on('error', (error) => this.#end(new GrpcError(GRPC.UNAVAILABLE, `${this.url}: ${error.message}`)))
    void this.#look()
  }

  /** Rejects with a `GrpcError` of no effect. */
  static async open(options: GrpcConnectionOptions): Promise<GrpcConnection> {
    const session = connect(options.url, { ...options.tls, settings: { initialWindowSize: STREAM_WINDOW } })
    const patience = new AbortController()
    try {
      await new Promise<void>((resolve, reject) => {
        session.once('connect', () => resolve())
        session.once('error', reject)
        session.once('close', () => reject(new Error('the connection was closed')))
        void sleepQuietly(options.clock, CONNECT_MS, patience.signal).then(
          (slept) => void (slept && reject(new Error(`no answer for ${CONNECT_MS / 1000} s`))),
        )
      })
    } catch (error) {
      session.on('error', () => undefined)
      session.destroy()
      throw new GrpcError(GRPC.UNAVAILABLE, `${options.url}: ${messageOf(error)}`, { hadNoEffect: true, cause: error })
    } finally {
      patience.abort()
    }
    session.setLocalWindowSize(CONNECTION_WINDOW)
    return new GrpcConnection(options, session)
  }

  get isOver(): boolean {
    return this.#over.signal.aborted
  }

  /** One message each way. Rejects with a `GrpcError`, or with the signal's reason. */
  unary({ path, message }: Rpc, { metadata, signal, limitMs = Infinity }: CallOptions): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.isOver) throw this.#over.signal.reason
      const stream = this.#request(path, metadata)
      const call = { stream, endsMs: this.#options.clock.monotonicMs() + limitMs }
      this.#calls.add(call)
      const frames = new Frames()
      let answer: Buffer | undefined
      let failure: unknown
      const abort = (): void => {
        failure = signal?.reason
        stream.close(constants.NGHTTP2_CANCEL)
      }
      signal?.addEventListener('abort', abort, { once: true })
      stream.on('data', (chunk: Buffer) => {
        try {
          for (const one of frames.take(chunk)) answer ??= one
        } catch (error) {
          stream.destroy(error as Error)
        }
      })
      stream.on('response', (headers) => {
        this.#silentTicks = 0
        failure ??= errorIn(headers, 'grpc-status' in headers)
      })
      stream.on('trailers', (headers) => (failure ??= errorIn(headers, true)))
      stream.on('error', (error) => (failure ??= error))
      stream.on('close', () => {
        this.#calls.delete(call)
        signal?.removeEventListener('abort', abort)
        if (failure === undefined && answer !== undefined) resolve(answer)
        else if (signal?.aborted === true || failure instanceof GrpcError) reject(failure)
        else reject(this.#brokenOff(stream, failure))
      })
      stream.end(framed(message))
    })
  }

  /**
   * Sends one message and yields what comes, until `signal` aborts. What is not read is not taken from the other side.
   * Throws a `GrpcError`.
   */
  async *stream({ path, message }: Rpc, { metadata, signal }: CallOptions): AsyncGenerator<Buffer, void> {
    if (this.isOver) throw this.#over.signal.reason
    const stream = this.#request(path, metadata)
    let failure: GrpcError | undefined
    stream.on('response', (headers) => (failure ??= errorIn(headers, 'grpc-status' in headers)))
    stream.on('trailers', (headers) => (failure ??= errorIn(headers, true)))
    const abort = (): void => void stream.destroy()
    signal?.addEventListener('abort', abort, { once: true })
    const frames = new Frames()
    try {
      // Left open on this side: etcd ends a watch whose client has said all it will say.
      stream.write(framed(message))
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        this.#silentTicks = 0
        yield* frames.take(chunk)
      }
    } catch (error) {
      if (signal?.aborted !== true) throw failure ?? this.#brokenOff(stream, error)
    } finally {
      signal?.removeEventListener('abort', abort)
      stream.close(constants.NGHTTP2_CANCEL)
    }
    if (signal?.aborted !== true) throw failure ?? this.#brokenOff(stream, undefined)
  }

  /** Ends it, with everything that is under way. */
  close(): void {
    this.#end(new GrpcError(GRPC.UNAVAILABLE, `${this.url}: the connection was given up`))
  }

  #request(path: string, metadata: Readonly<Record<string, string>>): ClientHttp2Stream {
    return this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...metadata,
    })
  }

  /** While it lasts: gives up calls whose time is over, and itself when the other side is silent. */
  async #look(): Promise<void> {
    const { clock, probe } = this.#options
    const { signal } = this.#over
    // Ticks are counted, not time: a process that itself stood still has not heard what waits in its sockets.
    for (let tick = 0; await sleepQuietly(clock, TICK_MS, signal); tick++) {
      const nowMs = clock.monotonicMs()
      for (const call of this.#calls) if (call.endsMs <= nowMs) call.stream.destroy(late())
      if (++this.#silentTicks > SILENT_TICKS_MAX) {
        this.#end(new GrpcError(GRPC.UNAVAILABLE, `${this.url}: nothing was heard for some seconds`))
      } else if (tick % 2 === 0) {
        this.unary(probe, { metadata: {} }).catch(() => undefined)
      }
    }
  }

  #end(reason: GrpcError): void {
    if (this.isOver) return
    this.#over.abort(reason)
    this.#session.destroy()
    this.#options.onEnd(this)
  }

  #brokenOff({ rstCode }: ClientHttp2Stream, cause: unknown): GrpcError {
    if (cause instanceof GrpcError) return cause
    const hadNoEffect = rstCode === constants.NGHTTP2_REFUSED_STREAM
    const { reason } = this.#over.signal
    const why = cause instanceof Error ? cause.message.trim() : 'the answer broke off'
    const message = reason instanceof GrpcError ? reason.message : `${this.url}: ${why}`
    return new GrpcError(GRPC.UNAVAILABLE, message, { hadNoEffect, cause })
  }
}

function late(): GrpcError {
  return new GrpcError(GRPC.DEADLINE_EXCEEDED, 'no answer in time')
}

/** What headers or trailers say went wrong; something that is not gRPC when `isLast` ones say nothing. */
function errorIn(headers: Readonly<Record<string, unknown>>, isLast: boolean): GrpcError | undefined {
  const httpStatus = Number(headers[':status'] ?? 200)
  if (httpStatus !== 200) return new GrpcError(GRPC.UNAVAILABLE, `what answers is not etcd: HTTP ${httpStatus}`)
  if (!isLast) return undefined
  const status = Number(headers['grpc-status'] ?? GRPC.UNKNOWN)
  if (status === GRPC.OK) return undefined
  return new GrpcError(status, decoded(headers['grpc-message']))
}

function decoded(text: unknown): string {
  if (typeof text !== 'string') return 'no reason was given'
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
