import { type ClientHttp2Session, connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { EtcdFailure, STATUS } from './etcd-errors.ts'
import type { TlsOptions } from './tls.ts'

export interface LaneOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string
  readonly tls: TlsOptions
  /** Told whenever something of an answer comes. */
  readonly onHeard: () => void
  /** Told once, when the connection is over, after every call that was under way. */
  readonly onEnd: (failure: EtcdFailure) => void
}

export interface LaneCall {
  /** `/etcdserverpb.KV/Range` */
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly message: Uint8Array
}

/** How much the other side may send before it was read, of each answer and of all; an answer is as long as it is. */
const WINDOW_BYTES = 4 * 1024 * 1024
/** As good as none: beyond it answers are refused, while it is what waits to be sent that there is much of. */
const MEMORY_MB = 1024 * 1024
/** Before a message: whether it is compressed, and its length in four bytes. facts: grpc.io, "gRPC over HTTP2". */
const PREFIX_BYTES = 5
const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = constants

/** A connection for gRPC's calls of one message each way. It connects at once; what is over stays so. */
export class Lane {
  readonly #options: LaneOptions
  readonly #socket: Socket
  readonly #session: ClientHttp2Session
  readonly #headers: Readonly<Record<string, string>>
  /** Why it is over. */
  #why: string | undefined
  /** The other side has seen no call after that one. */
  #lastId = Infinity

  constructor(options: LaneOptions) {
    const socket = socketTo(options.url, options.tls)
    const session = connectHttp2(options.url, {
      createConnection: () => socket,
      maxSessionMemory: MEMORY_MB,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    })
    this.#options = options
    this.#socket = socket
    this.#session = session
    this.#headers = {
      ':method': 'POST',
      ':authority': new URL(options.url).host,
      'content-type': 'application/grpc',
      te: 'trailers',
    }
    session.on('connect', () => session.setLocalWindowSize(WINDOW_BYTES))
    session.on('goaway', (_, lastId) => {
      this.#lastId = lastId
      this.#why = 'the server is stopping'
      session.destroy()
    })
    session.on('error', (error: Error) => (this.#why ??= error.message))
    session.on('close', () => options.onEnd(this.#away(this.#why ?? 'the connection was closed')))
  }

  /** Answers what gives the call up. `onEnd` is called once, and not before this returns. */
  ask({ path, metadata, message }: LaneCall, onEnd: (answer: Buffer | EtcdFailure) => void): () => void {
    const { onHeard, url } = this.#options
    const chunks: Buffer[] = []
    let head: IncomingHttpHeaders = {}
    let end: IncomingHttpHeaders | undefined
    let why = 'the answer broke off'
    const stream = this.#session.request({ ...this.#headers, ':path': path, ...metadata })
    stream.on('response', (fields) => {
      onHeard()
      head = fields
    })
    stream.on('trailers', (fields) => (end = fields))
    stream.on('data', (chunk: Buffer) => {
      onHeard()
      chunks.push(chunk)
    })
    // What is answered before it was asked to the end would wait to be.
    stream.on('end', () => stream.destroy())
    stream.on('error', (error: Error) => (why = error.message))
    stream.on('close', () => {
      const { id, rstCode } = stream
      // Never sent, or the other side says that it did not look at it.
      const isUnseen = id === undefined || id > this.#lastId || rstCode === NGHTTP2_REFUSED_STREAM
      onEnd(answerIn(head, end ?? head, chunks, url) ?? this.#away(this.#why ?? why, isUnseen))
    })
    stream.end(framed(message))
    return () => {
      stream.close(NGHTTP2_CANCEL)
      stream.destroy()
    }
  }

  /** Ends it, with everything that is under way. */
  close(): void {
    // The session by itself would first send what waits, which a frozen member never takes.
    this.#socket.destroy()
  }

  #away(why: string, hadNoEffect = false): EtcdFailure {
    return new EtcdFailure(STATUS.UNAVAILABLE, `${this.#options.url}: ${why}`, { hadNoEffect })
  }
}

export function framed(message: Uint8Array): Buffer {
  const body = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  body[0] = 0
  body.writeUInt32BE(message.length, 1)
  body.set(message, PREFIX_BYTES)
  return body
}

function socketTo(url: string, tls: TlsOptions): Socket {
  const { protocol, hostname, port } = new URL(url)
  const at = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), noDelay: true }
  if (protocol === 'http:') return connect(at)
  return connectTls({ ...at, ...tls, ALPNProtocols: ['h2'], ...(isIP(at.host) === 0 && { servername: at.host }) })
}

/** Nothing but a whole message and an "all is well" is an answer. Undefined where it broke off. */
function answerIn(
  { ':status': http = '200' }: IncomingHttpHeaders,
  { 'grpc-status': status, 'grpc-message': message = '' }: IncomingHttpHeaders,
  chunks: readonly Buffer[],
  url: string,
): Buffer | EtcdFailure | undefined {
  const failure = (why: string) => new EtcdFailure(STATUS.UNAVAILABLE, `${url}: ${why}`)
  if (Number(http) !== 200) return failure(`what answers is not etcd: HTTP ${String(http)}`)
  if (status === undefined) return undefined
  if (status !== '0') {
    const text = decoded(String(message))
    // What etcd itself says, it says in its name.
    return new EtcdFailure(Number(status), text.startsWith('etcdserver:') ? text : `${url}: ${text}`)
  }
  const [first = Buffer.alloc(0)] = chunks
  const bytes = chunks.length > 1 ? Buffer.concat(chunks) : first
  const isWhole = bytes.length >= PREFIX_BYTES && bytes.readUInt32BE(1) === bytes.length - PREFIX_BYTES
  return isWhole && bytes[0] === 0 ? bytes.subarray(PREFIX_BYTES) : failure('the answer is no message')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
