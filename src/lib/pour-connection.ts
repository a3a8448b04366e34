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

/** `stale`: it was closed before anything of the answer came, as a connection that was kept may be. */
export type Outcome = 'poured' | 'refused' | 'stale'

const BUFFER_BYTES = 256 * 1024
const HEAD_BYTES_MAX = 64 * 1024

interface Exchange {
  readonly accepts: (head: PourHead) => boolean
  readonly take: Take
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

/** One connection with one buffer, for one request after the other. */
export class PourConnection {
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
  ): Promise<Outcome> {
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

  #settle(outcome: Outcome): void {
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
