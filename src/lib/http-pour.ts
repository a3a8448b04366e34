import { connect, type Socket } from 'node:net'
import { FlotillaError, messageOf } from '../core/errors.ts'
import type { Op } from '../core/op.ts'

export interface PourRequest extends Op {
  /** Path and query as they go over the wire. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** With one it is a POST, of what changes nothing: it may be sent twice. */
  readonly body?: string | undefined
}

export interface PourHead {
  readonly status: number
  /** Lower-case names. */
  readonly header: (name: string) => string | undefined
}

/** The bytes are in a buffer that is used again as soon as this has returned, or what it returned has resolved. */
export type Take = (bytes: Uint8Array) => void | Promise<void>

export interface PourOptions {
  /** `http://host:port`. */
  readonly origin: string
  /** For messages; no secret in it. */
  readonly name: string
  readonly silenceMs: number
}

const BUFFER_BYTES = 256 * 1024
const SILENCE_MS = 30_000
const HEAD_BYTES_MAX = 64 * 1024
/** Connections that are kept for the next request. */
const IDLE_MAX = 128

/**
 * Reads answers over plain HTTP/1.1, each connection into one buffer of its own. Other clients make a new buffer for each piece, and
 * for gigabytes a second clearing those away costs more than everything else.
 */
export class PourPool {
  readonly #options: PourOptions
  readonly #idle: Connection[] = []
  readonly #all = new Set<Connection>()

  constructor(options: PourOptions) {
    this.#options = options
  }

  /**
   * Sends the request, and gives the body to `take`, all of it. `accepts` sees the head first: where it answers false, or the length is not told,
   * nothing is given, and the answer is `refused`: ask in another way then. Rejects with `UNREACHABLE`, with what `take` throws, or with
   * the signal's reason.
   */
  async pour(request: PourRequest, accepts: (head: PourHead) => boolean, take: Take): Promise<'poured' | 'refused'> {
    request.signal?.throwIfAborted()
    const kept = this.#idle.pop()
    if (kept !== undefined) {
      const outcome = await this.#exchange(kept, request, accepts, take)
      // The other side may have closed it while it was not used.
      if (outcome !== 'stale') return outcome
    }
    const outcome = await this.#exchange(this.#connect(), request, accepts, take)
    if (outcome === 'stale') throw new FlotillaError('UNREACHABLE', `${this.#options.name} closed the connection`)
    return outcome
  }

  /** Likewise, into one piece of memory; undefined where it is refused. */
  async whole(request: PourRequest, accepts: (head: PourHead) => boolean): Promise<Buffer | undefined> {
    let bytes = Buffer.alloc(0)
    let filled = 0
    const prepares = (head: PourHead): boolean => {
      if (!accepts(head)) return false
      bytes = Buffer.allocUnsafe(Number(head.header('content-length')))
      return true
    }
    const take = (chunk: Uint8Array): void => {
      bytes.set(chunk, filled)
      filled += chunk.byteLength
    }
    return (await this.pour(request, prepares, take)) === 'poured' ? bytes : undefined
  }

  close(): void {
    for (const connection of this.#all) connection.destroy()
  }

  #connect(): Connection {
    const connection = new Connection(this.#options, () => {
      this.#all.delete(connection)
      const index = this.#idle.indexOf(connection)
      if (index >= 0) this.#idle.splice(index, 1)
    })
    this.#all.add(connection)
    return connection
  }

  async #exchange(
    connection: Connection,
    request: PourRequest,
    accepts: (head: PourHead) => boolean,
    take: Take,
  ): Promise<'poured' | 'refused' | 'stale'> {
    const abort = (): void => connection.destroy(request.signal?.reason)
    request.signal?.addEventListener('abort', abort, { once: true })
    try {
      const outcome = await connection.exchange(request, accepts, take)
      if (connection.isReusable && this.#idle.length < IDLE_MAX) this.#idle.push(connection)
      else connection.destroy()
      return outcome
    } finally {
      request.signal?.removeEventListener('abort', abort)
    }
  }
}

/** One pool for each origin. */
export class PourPools {
  readonly #pools = new Map<string, PourPool>()

  /** `name`: of who is there, for messages. */
  of(origin: string, name: string): PourPool {
    const known = this.#pools.get(origin)
    if (known !== undefined) return known
    const pool = new PourPool({ origin, name, silenceMs: SILENCE_MS })
    this.#pools.set(origin, pool)
    return pool
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close()
  }
}

interface Exchange {
  readonly accepts: (head: PourHead) => boolean
  readonly take: Take
  readonly resolve: (outcome: 'poured' | 'refused' | 'stale') => void
  readonly reject: (error: unknown) => void
}

class Connection {
  readonly #socket: Socket
  readonly #options: PourOptions
  readonly #host: string
  #exchange: Exchange | undefined
  #head: Buffer[] = []
  /** Of the body; undefined while the head is read. */
  #left: number | undefined
  #heard = false
  #isOpen = true
  #keeps = true

  constructor(options: PourOptions, onClose: () => void) {
    const { hostname, port, host } = new URL(options.origin)
    this.#options = options
    this.#host = host
    const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
    this.#socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port === '' ? 80 : port),
      noDelay: true,
      onread: { buffer, callback: (length) => this.#onBytes(buffer.subarray(0, length)) },
    })
    this.#socket.setTimeout(options.silenceMs, () => this.destroy(this.#unreachable('fell silent')))
    this.#socket.on('error', (error) => this.#end(this.#unreachable(messageOf(error))))
    this.#socket.on('close', () => {
      this.#isOpen = false
      onClose()
      if (this.#exchange !== undefined) this.#end(this.#unreachable('broke off its answer'))
    })
  }

  get isReusable(): boolean {
    return this.#isOpen && this.#keeps && this.#exchange === undefined
  }

  async exchange(
    { path, headers = {}, body }: PourRequest,
    accepts: Exchange['accepts'],
    take: Take,
  ): Promise<'poured' | 'refused' | 'stale'> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        resolve('stale')
        return
      }
      this.#exchange = { accepts, take, resolve, reject }
      const lines = Object.entries({ host: this.#host, ...headers }).map(([name, value]) => `${name}: ${value}`)
      const method = body === undefined ? 'GET' : 'POST'
      if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`)
      const head = [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n')
      if (lines.some((line) => /[\r\n]/.test(line)) || /[\r\n ]/.test(path))
        this.#end(new Error('a header has a line break'))
      else if (body === undefined) this.#socket.write(head, 'latin1')
      else this.#socket.write(Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]))
    })
  }

  destroy(reason?: unknown): void {
    if (reason !== undefined) this.#end(reason)
    this.#isOpen = false
    this.#socket.destroy()
  }

  /** Answers false to read no more for now. */
  #onBytes(bytes: Buffer): boolean {
    this.#heard = true
    if (this.#exchange === undefined) {
      // Nothing was asked.
      this.destroy()
      return false
    }
    if (this.#left !== undefined) return this.#give(bytes)
    // Mostly all of the head comes at once.
    const all = this.#head.length === 0 ? bytes : Buffer.concat([...this.#head, bytes])
    const end = all.indexOf('\r\n\r\n')
    if (end >= 0) {
      this.#head = []
      return this.#begin(all.toString('latin1', 0, end), all.subarray(end + 4))
    }
    this.#head.push(Buffer.from(bytes))
    if (all.byteLength > HEAD_BYTES_MAX) this.destroy(this.#unreachable('answers with too long a head'))
    return true
  }

  #begin(text: string, rest: Buffer): boolean {
    const { status, header } = parseHead(text)
    const length = header('content-length') ?? ''
    this.#keeps = (header('connection') ?? '').toLowerCase() !== 'close' && text.startsWith('HTTP/1.1 ')
    const isPlain = /^\d{1,15}$/.test(length) && header('transfer-encoding') === undefined
    if (!isPlain || header('content-encoding') !== undefined || this.#exchange?.accepts({ status, header }) !== true) {
      this.#settle('refused')
      this.destroy()
      return false
    }
    this.#left = Number(length)
    return this.#give(rest)
  }

  #give(bytes: Buffer): boolean {
    const left = this.#left ?? 0
    if (bytes.byteLength > left) this.#keeps = false
    const wanted = bytes.subarray(0, left)
    this.#left = left - wanted.byteLength
    try {
      const taking = wanted.byteLength === 0 ? undefined : this.#exchange?.take(wanted)
      if (taking !== undefined) {
        void this.#goOnAfter(taking)
        return false
      }
    } catch (error) {
      this.destroy(error)
      return false
    }
    this.#settleIfWhole()
    return true
  }

  async #goOnAfter(taking: Promise<void>): Promise<void> {
    try {
      await taking
      this.#settleIfWhole()
      if (this.#isOpen) this.#socket.resume()
    } catch (error) {
      this.destroy(error)
    }
  }

  #settleIfWhole(): void {
    if (this.#left === 0) this.#settle('poured')
  }

  #settle(outcome: 'poured' | 'refused' | 'stale'): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#left = undefined
    this.#heard = false
    exchange?.resolve(outcome)
  }

  #end(error: unknown): void {
    if (this.#exchange === undefined) return
    const isStale = !this.#heard && this.#socket.bytesRead > 0
    if (isStale) {
      this.#settle('stale')
      return
    }
    const { reject } = this.#exchange
    this.#exchange = undefined
    reject(error)
  }

  #unreachable(why: string): FlotillaError {
    return new FlotillaError('UNREACHABLE', `${this.#options.name}: ${why}`)
  }
}

/** Headers are looked for when they are asked for: of many only a few are. */
function parseHead(text: string): PourHead {
  const lines = `${text}\r\n`
  const lower = lines.toLowerCase()
  return {
    status: Number(text.slice(9, 12)),
    header: (name) => {
      const at = lower.indexOf(`\r\n${name}:`)
      return at < 0 ? undefined : lines.slice(at + name.length + 3, lines.indexOf('\r\n', at + 2)).trim()
    },
  }
}
