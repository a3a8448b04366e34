/** The part of Protocol Buffers that etcd's messages need. facts: protobuf.dev, "Encoding". */

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
const MORE = 0x80
const START_BYTES = 256

/** One message that is written field by field. Fields of value 0, '' and false are left out by whoever writes. */
export class ProtoWriter {
  #bytes = Buffer.allocUnsafe(START_BYTES)
  #length = 0

  /** A whole number from 0 to 2^53 - 1. */
  number(field: number, value: number): this {
    this.#varint(field * 8 + VARINT)
    this.#varint(value)
    return this
  }

  /** A whole number from 0 to 2^63 - 1. */
  bigint(field: number, value: bigint): this {
    this.#varint(field * 8 + VARINT)
    let rest = value
    for (; rest >= 0x80n; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | MORE)
    this.#byte(Number(rest))
    return this
  }

  text(field: number, value: string): this {
    this.#varint(field * 8 + BYTES)
    const length = Buffer.byteLength(value)
    this.#varint(length)
    this.#reserve(length)
    this.#bytes.write(value, this.#length, 'utf8')
    this.#length += length
    return this
  }

  message(field: number, { bytes }: { readonly bytes: Uint8Array }): this {
    this.#varint(field * 8 + BYTES)
    this.#varint(bytes.byteLength)
    this.#reserve(bytes.byteLength)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.byteLength
    return this
  }

  /** What was written so far; good until more is written. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #varint(value: number): void {
    let rest = value
    for (; rest >= MORE; rest = Math.floor(rest / MORE)) this.#byte((rest % MORE) + MORE)
    this.#byte(rest)
  }

  #byte(value: number): void {
    if (this.#length === this.#bytes.byteLength) this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.byteLength) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.byteLength))
    larger.set(this.bytes)
    this.#bytes = larger
  }
}

/** Reads a message field by field: `next`, then one read or `skip`. Throws `RangeError` when the bytes end too early. */
export class ProtoReader {
  readonly #bytes: Buffer
  #at = 0
  #wire = VARINT

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Number of the next field; 0 at the end. */
  next(): number {
    if (this.#at >= this.#bytes.byteLength) return 0
    const tag = this.number()
    this.#wire = tag % 8
    return Math.floor(tag / 8)
  }

  /** Exact up to 2^53. */
  number(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#byte()
      value += (byte % MORE) * scale
      if (byte < MORE) return value
      scale *= MORE
    }
  }

  /** A signed one. */
  bigint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte % MORE) << shift
      if (byte < MORE) return BigInt.asIntN(64, value)
    }
  }

  bytes(): Buffer {
    const length = this.number()
    const end = this.#at + length
    if (end > this.#bytes.byteLength) throw new RangeError('a message ends in the middle of a field')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  text(): string {
    return this.bytes().toString('utf8')
  }

  skip(): void {
    if (this.#wire === VARINT) this.bigint()
    else if (this.#wire === BYTES) this.bytes()
    else this.#at += this.#wire === FIXED64 ? 8 : this.#wire === FIXED32 ? 4 : Number.NaN
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new RangeError('a message ends in the middle of a field')
    return byte
  }
}
