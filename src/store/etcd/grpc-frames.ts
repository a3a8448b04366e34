/** gRPC's messages in a stream of bytes: a flag, the length in four bytes, the message. facts: grpc.io, "gRPC over HTTP2". */

const PREFIX_BYTES = 5
/** More than any answer of etcd's: what claims to be longer is not gRPC. */
const MESSAGE_BYTES_MAX = 2 ** 31

export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.byteLength)
  frame[0] = 0
  frame.writeUInt32BE(message.byteLength, 1)
  frame.set(message, PREFIX_BYTES)
  return frame
}

/** Puts together the messages of one stream. */
export class Frames {
  #chunks: Buffer[] = []
  #held = 0

  /** The messages that are whole now. Throws `RangeError` for what is not gRPC. */
  take(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk)
    this.#held += chunk.byteLength
    const whole: Buffer[] = []
    for (let message = this.#next(); message !== undefined; message = this.#next()) whole.push(message)
    return whole
  }

  #next(): Buffer | undefined {
    if (this.#held < PREFIX_BYTES) return undefined
    const [first] = this.#chunks
    if (first === undefined || first.byteLength < PREFIX_BYTES) this.#join()
    const head = this.#chunks[0] as Buffer
    const end = PREFIX_BYTES + head.readUInt32BE(1)
    if (head[0] !== 0 || end > MESSAGE_BYTES_MAX) throw new RangeError('what answers does not speak gRPC')
    if (this.#held < end) return undefined
    if (head.byteLength < end) this.#join()
    const joined = this.#chunks[0] as Buffer
    const rest = joined.subarray(end)
    if (rest.byteLength === 0) this.#chunks.shift()
    else this.#chunks[0] = rest
    this.#held -= end
    return joined.subarray(PREFIX_BYTES, end)
  }

  #join(): void {
    this.#chunks = [Buffer.concat(this.#chunks)]
  }
}
