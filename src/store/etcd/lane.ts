import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { EtcdFailure, STATUS } from './etcd-errors.ts'
import { headerBlock, readHeaders } from './hpack.ts'
import {
  contentOf,
  FLAG,
  type Frame,
  FRAME,
  FRAME_BYTES,
  frame,
  frameHead,
  Frames,
  numbers,
  SETTING,
  settingsIn,
  settingsOf,
} from './http2-frames.ts'
import { answerIn, framed, LaneCall, type LaneListener } from './lane-call.ts'
import type { TlsOptions } from './tls.ts'

export interface LaneOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string
  readonly tls: TlsOptions
  /** Told of everything that comes. */
  readonly onHeard: () => void
  /** Told once, when the connection is over. */
  readonly onEnd: (failure: EtcdFailure) => void
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** How much one side may send before the other has said how much. facts: RFC 9113, section 6.9.2. */
const WINDOW = 65_535
const WINDOW_MAX = 2 ** 31 - 1
/** Numbers of streams are odd and never used twice. */
const ID_MAX = 2 ** 31 - 1
const REFUSED_STREAM = 7
const CANCEL = 8

/**
 * A connection for calls of one message each way: gRPC over HTTP/2, no more than that needs. What is asked for in one turn of
 * the event loop is sent as one piece. It connects at once; what is over stays so.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #socket: Socket
  readonly #frames = new Frames()
  readonly #calls = new Map<number, LaneCall>()
  /** Not yet sent, or not to the end, in their order. */
  readonly #queue: LaneCall[] = []
  #out: Buffer[] = []
  #nextId = 1
  #headers: Buffer[] = []
  #isConnected = false
  #failure: EtcdFailure | undefined
  /** What the other side takes: calls at once, bytes of each unless it says more, bytes of all. */
  readonly #takes = { calls: Infinity, ofEach: WINDOW, ofAll: WINDOW }
  /** What the other side may send still, of everything. */
  #allowed = WINDOW_MAX

  constructor(options: LaneOptions) {
    this.#options = options
    const { protocol, hostname, port } = new URL(options.url)
    const at = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), noDelay: true }
    const secure = { ...at, ...options.tls, ALPNProtocols: ['h2'], ...(isIP(at.host) === 0 && { servername: at.host }) }
    const socket = protocol === 'https:' ? connectTls(secure) : connect(at)
    this.#socket = socket
    socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => (this.#isConnected = true))
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => this.#end(this.#away(error.message)))
    socket.on('close', () => this.#end(this.#away('the connection was closed')))
    const settings = settingsOf([
      [SETTING.headerTable, 0],
      [SETTING.push, 0],
      [SETTING.window, WINDOW_MAX],
    ])
    this.#write(PREFACE, frame(FRAME.settings, 0, 0, settings), widened(WINDOW_MAX - WINDOW))
  }

  /** Answers what gives the call up. One of the listener's methods is called, once, and not before this returns. */
  ask(headers: Buffer, message: Uint8Array, listener: LaneListener): () => void {
    const call = new LaneCall(this.#nextId, headers, framed(message), listener)
    this.#nextId += 2
    const failure = call.id > ID_MAX ? this.#away('the connection has had all its calls', true) : this.#failure
    if (failure === undefined) {
      this.#queue.push(call)
      this.#pump()
    } else queueMicrotask(() => listener.onFailure(failure))
    return () => this.#cancel(call)
  }

  /** Ends it, with everything that is under way. */
  close(failure: EtcdFailure): void {
    this.#end(failure)
  }

  #cancel(call: LaneCall): void {
    if (!this.#forget(call)) return
    if (call.isBegun) this.#write(frame(FRAME.reset, 0, call.id, numbers(CANCEL)))
    call.listener.onFailure(new EtcdFailure(STATUS.CANCELLED, 'the call was given up', { hadNoEffect: !call.isBegun }))
    this.#pump()
  }

  /** False where it was over already. */
  #forget(call: LaneCall): boolean {
    const place = this.#queue.indexOf(call)
    if (place >= 0) this.#queue.splice(place, 1)
    return this.#calls.delete(call.id) || place >= 0
  }

  /** Sends what the other side takes now. */
  #pump(): void {
    for (let [call] = this.#queue; call !== undefined && this.#send(call); [call] = this.#queue) this.#queue.shift()
  }

  /** False where some of it must wait. */
  #send(call: LaneCall): boolean {
    if (!call.isBegun) {
      if (this.#calls.size >= this.#takes.calls) return false
      call.isBegun = true
      this.#calls.set(call.id, call)
      this.#write(frameHead(FRAME.headers, FLAG.endHeaders, call.id, call.headers.length), call.headers)
    }
    while (call.left > 0) {
      const length = Math.min(FRAME_BYTES, call.left, this.#takes.ofAll, this.#takes.ofEach + call.window)
      if (length <= 0) return false
      const piece = call.take(length)
      this.#takes.ofAll -= length
      this.#write(frameHead(FRAME.data, call.left === 0 ? FLAG.endStream : 0, call.id, length), piece)
    }
    return true
  }

  #write(...pieces: readonly Buffer[]): void {
    if (this.#out.length === 0) queueMicrotask(() => this.#flush())
    this.#out.push(...pieces)
  }

  #flush(): void {
    const out = this.#out
    this.#out = []
    if (this.#failure === undefined) this.#socket.write(Buffer.concat(out))
  }

  #read(chunk: Buffer): void {
    this.#options.onHeard()
    try {
      for (const one of this.#frames.take(chunk)) this.#take(one)
    } catch (error) {
      this.#end(this.#away(error instanceof RangeError ? error.message : 'what answers cannot be read'))
    }
  }

  #take(one: Frame): void {
    const { type, flags, id, payload } = one
    const isAck = (flags & FLAG.ack) !== 0
    if (type === FRAME.data) this.#data(one)
    else if (type === FRAME.headers) this.#headersOf(one, contentOf(one))
    else if (type === FRAME.continuation) this.#headersOf(one, payload)
    else if (type === FRAME.reset) this.#reset(id, payload.readUInt32BE(0))
    else if (type === FRAME.settings && !isAck) this.#settings(payload)
    else if (type === FRAME.ping && !isAck) this.#write(frame(FRAME.ping, FLAG.ack, 0, payload))
    else if (type === FRAME.window) this.#widen(id, payload.readUInt32BE(0))
    else if (type === FRAME.goAway) this.#goAway(payload.readUInt32BE(0))
  }

  #data(one: Frame): void {
    this.#allowed -= one.payload.length
    if (this.#allowed < WINDOW_MAX / 2) {
      this.#write(widened(WINDOW_MAX - this.#allowed))
      this.#allowed = WINDOW_MAX
    }
    this.#calls.get(one.id)?.chunks.push(contentOf(one))
    if ((one.flags & FLAG.endStream) !== 0) this.#finish(one.id)
  }

  /** Headers are one block in one frame or several that follow each other. The last ones of a call are its end. */
  #headersOf({ type, flags, id }: Frame, content: Buffer): void {
    const call = this.#calls.get(id)
    if (type === FRAME.headers && call !== undefined) call.isEnding = (flags & FLAG.endStream) !== 0
    this.#headers.push(content)
    if ((flags & FLAG.endHeaders) === 0) return
    const fields = readHeaders(this.#headers.length === 1 ? content : Buffer.concat(this.#headers))
    this.#headers = []
    if (call === undefined) return
    for (const [name, value] of fields) call.fields.set(name, value)
    if (call.isEnding) this.#finish(id)
  }

  #finish(id: number): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#forget(call)
    // Answered before it was asked to the end.
    if (call.left > 0) this.#write(frame(FRAME.reset, 0, id, numbers(CANCEL)))
    const answer = answerIn(call, this.#options.url)
    if (answer instanceof EtcdFailure) call.listener.onFailure(answer)
    else call.listener.onAnswer(answer)
    this.#pump()
  }

  #reset(id: number, code: number): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#forget(call)
    call.listener.onFailure(this.#away('the call was broken off', code === REFUSED_STREAM))
    this.#pump()
  }

  #settings(payload: Buffer): void {
    for (const [setting, value] of settingsIn(payload)) {
      if (setting === SETTING.streams) this.#takes.calls = value
      else if (setting === SETTING.window) this.#takes.ofEach = value
    }
    this.#write(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)))
    this.#pump()
  }

  #widen(id: number, bytes: number): void {
    const call = this.#calls.get(id)
    if (id === 0) this.#takes.ofAll += bytes
    else if (call !== undefined) call.window += bytes
    this.#pump()
  }

  /** The other side stops, and has seen no call after that one. */
  #goAway(last: number): void {
    const failure = this.#away('the server is stopping', true)
    for (const call of [...this.#calls.values()].filter(({ id }) => id > last)) {
      this.#forget(call)
      call.listener.onFailure(failure)
    }
    this.#end(this.#away('the server is stopping'))
  }

  #end(failure: EtcdFailure): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#socket.destroy()
    const calls = new Set([...this.#calls.values(), ...this.#queue])
    this.#calls.clear()
    this.#queue.length = 0
    const { status, message } = failure
    for (const { isBegun, listener } of calls) {
      listener.onFailure(
        new EtcdFailure(status, message, { hadNoEffect: !isBegun || !this.#isConnected, cause: failure }),
      )
    }
    this.#options.onEnd(failure)
  }

  #away(why: string, hadNoEffect = false): EtcdFailure {
    return new EtcdFailure(STATUS.UNAVAILABLE, `${this.#options.url}: ${why}`, { hadNoEffect })
  }
}

/** What is sent before every message of a call to `path`. */
export function callHeaders(url: string, path: string, metadata: Readonly<Record<string, string>>): Buffer {
  const { protocol, host } = new URL(url)
  return headerBlock({
    ':method': 'POST',
    ':scheme': protocol.slice(0, -1),
    ':path': path,
    ':authority': host,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...metadata,
  })
}

function widened(bytes: number): Buffer {
  return frame(FRAME.window, 0, 0, numbers(bytes))
}
