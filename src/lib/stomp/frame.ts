import { FlotillaError } from '../../core/errors.ts'

/** One frame of STOMP 1.2. */
export interface Frame {
  readonly command: string
  readonly headers: ReadonlyMap<string, string>
  /** Undefined when it is larger than what the reader keeps: it has then been read and dropped, `size` says how much it was. */
  readonly body: Buffer | undefined
  readonly size: number
}

/** Command and headers together. ActiveMQ copies all properties of a message into its headers. */
const HEAD_MAX = 1024 * 1024
const HEADERS_MAX = 2000
const LF = 10
const CR = 13
const NUL = 0

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\r': '\\r', '\n': '\\n', ':': '\\c' }
const UNESCAPES: Readonly<Record<string, string>> = { '\\\\': '\\', '\\r': '\r', '\\n': '\n', '\\c': ':' }
/** By the specification nothing is escaped in these, for clients that speak 1.0. */
const PLAIN: ReadonlySet<string> = new Set(['CONNECT', 'CONNECTED'])

/**
 * The bytes of a frame, without a length: by it ActiveMQ would tell that a body is no text. Throws `BAD_REQUEST` for a
 * body with a NUL, and for a header of `CONNECT` that no frame can say.
 */
export function encodeFrame(command: string, headers: Readonly<Record<string, string>>, body = ''): Buffer {
  if (body.includes('\0')) throw new FlotillaError('BAD_REQUEST', 'a NUL in what the broker is sent')
  const write = PLAIN.has(command) ? asItIs : escaped
  const lines = Object.entries(headers).map(([name, value]) => `${write(name)}:${write(value)}\n`)
  return Buffer.from(`${command}\n${lines.join('')}\n${body}\0`)
}

function escaped(text: string): string {
  return text.replaceAll(/[\\\r\n:]/g, (character) => ESCAPES[character] ?? '')
}

function asItIs(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new FlotillaError('BAD_REQUEST', 'a line break in what the broker is told at login')
  return text
}

function unescaped(text: string): string {
  return text.replaceAll(/\\./g, (pair) => {
    const character = UNESCAPES[pair]
    if (character === undefined) throw malformed('an escape that does not exist')
    return character
  })
}

interface Head {
  readonly command: string
  readonly headers: ReadonlyMap<string, string>
  /** Of the body; undefined where a NUL ends it. */
  readonly length: number | undefined
}

/**
 * Cuts a stream into frames. What it holds is bounded: bodies beyond `bodyMax` bytes are read past. `push` throws
 * `BAD_REQUEST` when the stream is no STOMP; nothing after that can be made sense of.
 */
export class FrameReader {
  readonly #bodyMax: number
  readonly #onFrame: (frame: Frame) => void
  #head: Head | undefined
  /** Of the head, or of the body, that is being read. */
  #pieces: Buffer[] = []
  #size = 0

  constructor(bodyMax: number, onFrame: (frame: Frame) => void) {
    this.#bodyMax = bodyMax
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    let rest = chunk
    while (rest.byteLength > 0)
      rest = this.#head === undefined ? this.#readHead(rest) : this.#readBody(this.#head, rest)
  }

  /** Answers what is left of the chunk. */
  #readHead(chunk: Buffer): Buffer {
    const held = this.#pieces.length === 0 ? withoutBeats(chunk) : Buffer.concat([...this.#pieces, chunk])
    const end = endOfHead(held)
    if ((end?.at ?? held.byteLength) > HEAD_MAX) throw malformed(`headers of more than ${HEAD_MAX} bytes`)
    this.#pieces = end === undefined && held.byteLength > 0 ? [held] : []
    if (end === undefined) return held.subarray(held.byteLength)
    this.#head = headOf(held.toString('utf8', 0, end.at))
    this.#size = 0
    return held.subarray(end.behind)
  }

  #readBody(head: Head, chunk: Buffer): Buffer {
    const left = head.length === undefined ? undefined : head.length - this.#size
    const end = left ?? chunk.indexOf(NUL)
    if (end < 0 || end >= chunk.byteLength) {
      this.#keep(chunk)
      return chunk.subarray(chunk.byteLength)
    }
    if (chunk[end] !== NUL) throw malformed('a frame that goes on after its end')
    this.#keep(chunk.subarray(0, end))
    const { command, headers } = head
    const frame = { command, headers, body: this.#body(), size: this.#size }
    this.#head = undefined
    this.#pieces = []
    this.#onFrame(frame)
    return chunk.subarray(end + 1)
  }

  #keep(piece: Buffer): void {
    this.#size += piece.byteLength
    if (this.#size > this.#bodyMax) this.#pieces = []
    else if (piece.byteLength > 0) this.#pieces.push(piece)
  }

  #body(): Buffer | undefined {
    return this.#size > this.#bodyMax ? undefined : Buffer.concat(this.#pieces)
  }
}

/** Line ends between frames say only that the other side is there. */
function withoutBeats(chunk: Buffer): Buffer {
  let start = 0
  while (chunk[start] === LF || chunk[start] === CR) start++
  return chunk.subarray(start)
}

function endOfHead(held: Buffer): { readonly at: number; readonly behind: number } | undefined {
  for (let at = held.indexOf(LF); at !== -1; at = held.indexOf(LF, at + 1)) {
    if (held[at + 1] === LF) return { at, behind: at + 2 }
    if (held[at + 1] === CR && held[at + 2] === LF) return { at, behind: at + 3 }
  }
  return undefined
}

function headOf(text: string): Head {
  const [command = '', ...lines] = text.split(/\r?\n/)
  if (!/^[A-Z]{3,16}$/.test(command)) throw malformed('something else than a frame')
  if (lines.length > HEADERS_MAX) throw malformed(`more than ${HEADERS_MAX} headers`)
  const read = PLAIN.has(command) ? (part: string) => part : unescaped
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) throw malformed('a header without a name')
    const name = read(line.slice(0, colon))
    // Of headers that occur twice the first counts.
    if (!headers.has(name)) headers.set(name, read(line.slice(colon + 1)))
  }
  const length = headers.get('content-length')
  if (length !== undefined && !/^\d{1,10}$/.test(length)) throw malformed('a length that is no number')
  return { command, headers, length: length === undefined ? undefined : Number(length) }
}

function malformed(what: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', `the broker sent ${what}`)
}
