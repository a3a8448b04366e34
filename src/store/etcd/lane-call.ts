import { EtcdFailure, STATUS } from './etcd-errors.ts'

export interface LaneListener {
  readonly onAnswer: (message: Buffer) => void
  readonly onFailure: (failure: EtcdFailure) => void
}

/** Before a message: whether it is compressed, and its length in four bytes. facts: grpc.io, "gRPC over HTTP2". */
const PREFIX_BYTES = 5

/** One call of a lane: what is left to be sent of it, and what came. */
export class LaneCall {
  /** Of its stream. */
  readonly id: number
  readonly headers: Buffer
  readonly listener: LaneListener
  readonly chunks: Buffer[] = []
  readonly fields = new Map<string, string>()
  /** Some of it was sent. */
  isBegun = false
  /** What the other side takes of it beyond what it takes of each. */
  window = 0
  isEnding = false
  readonly #body: Buffer
  #sent = 0

  constructor(id: number, headers: Buffer, body: Buffer, listener: LaneListener) {
    this.id = id
    this.headers = headers
    this.#body = body
    this.listener = listener
  }

  get left(): number {
    return this.#body.length - this.#sent
  }

  /** The next piece to be sent. */
  take(length: number): Buffer {
    const piece = this.#body.subarray(this.#sent, this.#sent + length)
    this.#sent += length
    this.window -= length
    return piece
  }
}

export function framed(message: Uint8Array): Buffer {
  const body = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  body[0] = 0
  body.writeUInt32BE(message.length, 1)
  body.set(message, PREFIX_BYTES)
  return body
}

/** The message that a call got which is over, or what went wrong. Nothing but a whole message and an "all is well" is an answer. */
export function answerIn({ chunks, fields }: LaneCall, url: string): Buffer | EtcdFailure {
  const http = fields.get(':status') ?? 'without a status'
  const status = fields.get('grpc-status')
  if (http !== '200') return new EtcdFailure(STATUS.UNAVAILABLE, `${url}: what answers is not etcd: HTTP ${http}`)
  if (status === undefined) return new EtcdFailure(STATUS.UNAVAILABLE, `${url}: the answer broke off`)
  if (status !== '0') return failure(Number(status), fields.get('grpc-message') ?? '', url)
  const [first = Buffer.alloc(0)] = chunks
  const bytes = chunks.length > 1 ? Buffer.concat(chunks) : first
  const isWhole = bytes.length >= PREFIX_BYTES && bytes.readUInt32BE(1) === bytes.length - PREFIX_BYTES
  if (!isWhole || bytes[0] !== 0) return new EtcdFailure(STATUS.UNAVAILABLE, `${url}: the answer is no message`)
  return bytes.subarray(PREFIX_BYTES)
}

function failure(status: number, message: string, url: string): EtcdFailure {
  const text = decoded(message)
  // What etcd itself says, it says in its name.
  return new EtcdFailure(status, text.startsWith('etcdserver:') ? text : `${url}: ${text}`)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
