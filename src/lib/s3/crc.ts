/**
 * Cyclic redundancy checks that node:zlib has not, eight bytes a step ("slicing by 8"). Both are reflected, start from ones and end
 * inverted.
 */

export const POLYNOMIALS = { crc32: 0xedb88320n, crc32c: 0x82f63b78n, crc64nvme: 0x9a6c9329ac4bc9b5n } as const

/** CRC-32C (Castagnoli). `previous` is that of the bytes that went before. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const table = (table32 ??= tableOf(POLYNOMIALS.crc32c, 32)).low
  const { head, words, tail } = aligned(bytes)
  let crc = bytewise32(table, head, ~previous)
  for (let at = 0; at < words.length; at += 2) {
    const a = crc ^ (words[at] as number)
    const b = words[at + 1] as number
    crc =
      (table[1792 + (a & 255)] as number) ^
      (table[1536 + ((a >>> 8) & 255)] as number) ^
      (table[1280 + ((a >>> 16) & 255)] as number) ^
      (table[1024 + (a >>> 24)] as number) ^
      (table[768 + (b & 255)] as number) ^
      (table[512 + ((b >>> 8) & 255)] as number) ^
      (table[256 + ((b >>> 16) & 255)] as number) ^
      (table[b >>> 24] as number)
  }
  crc = bytewise32(table, tail, crc)
  return ~crc >>> 0
}

/** CRC-64/NVME, kept in two halves: numbers of 64 bits are slow. */
export class Crc64Nvme {
  #low = -1
  #high = -1

  update(bytes: Uint8Array): void {
    const { head, words, tail } = aligned(bytes)
    this.#bytewise(head)
    const { low, high } = (table64 ??= tableOf(POLYNOMIALS.crc64nvme, 64))
    let l = this.#low
    let h = this.#high
    for (let at = 0; at < words.length; at += 2) {
      const a = l ^ (words[at] as number)
      const b = h ^ (words[at + 1] as number)
      const i7 = 1792 + (a & 255)
      const i6 = 1536 + ((a >>> 8) & 255)
      const i5 = 1280 + ((a >>> 16) & 255)
      const i4 = 1024 + (a >>> 24)
      const i3 = 768 + (b & 255)
      const i2 = 512 + ((b >>> 8) & 255)
      const i1 = 256 + ((b >>> 16) & 255)
      const i0 = b >>> 24
      l =
        (low[i7] as number) ^
        (low[i6] as number) ^
        (low[i5] as number) ^
        (low[i4] as number) ^
        (low[i3] as number) ^
        (low[i2] as number) ^
        (low[i1] as number) ^
        (low[i0] as number)
      h =
        (high[i7] as number) ^
        (high[i6] as number) ^
        (high[i5] as number) ^
        (high[i4] as number) ^
        (high[i3] as number) ^
        (high[i2] as number) ^
        (high[i1] as number) ^
        (high[i0] as number)
    }
    this.#low = l
    this.#high = h
    this.#bytewise(tail)
  }

  digest(): bigint {
    return (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0)
  }

  #bytewise(bytes: Uint8Array): void {
    const { low, high } = (table64 ??= tableOf(POLYNOMIALS.crc64nvme, 64))
    for (const byte of bytes) {
      const index = (this.#low ^ byte) & 255
      this.#low = ((this.#low >>> 8) | (this.#high << 24)) ^ (low[index] as number)
      this.#high = (this.#high >>> 8) ^ (high[index] as number)
    }
  }
}

/** Makes the checksum of two parts, one after the other, from theirs; the second has `bytes`. facts: zlib's `crc32_combine`. */
export class CrcCombiner {
  readonly #polynomial: bigint
  readonly #one: bigint
  /** Parts mostly have one length. */
  readonly #shifts = new Map<number, bigint>()

  constructor(polynomial: bigint, bits: 32 | 64) {
    this.#polynomial = polynomial
    this.#one = 1n << BigInt(bits - 1)
  }

  combine(first: bigint, second: bigint, bytes: number): bigint {
    const shift = this.#shifts.get(bytes) ?? this.#power(BigInt(bytes) * 8n)
    if (this.#shifts.size < 16) this.#shifts.set(bytes, shift)
    return this.#multiply(shift, first) ^ second
  }

  /** x to the power of `exponent`, modulo the polynomial. */
  #power(exponent: bigint): bigint {
    let result = this.#one
    let square = this.#one >> 1n
    for (let left = exponent; left > 0n; left >>= 1n) {
      if ((left & 1n) === 1n) result = this.#multiply(result, square)
      square = this.#multiply(square, square)
    }
    return result
  }

  #multiply(a: bigint, b: bigint): bigint {
    let product = 0n
    let shifted = b
    for (let bit = this.#one; bit > 0n; bit >>= 1n) {
      if ((a & bit) !== 0n) product ^= shifted
      shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ this.#polynomial : shifted >> 1n
    }
    return product
  }
}

interface Table {
  readonly low: Int32Array
  readonly high: Int32Array
}

// Made when first needed: most processes never do.
let table32: Table | undefined
let table64: Table | undefined

/** Entry `k * 256 + b`: what the byte `b` contributes when `k` further bytes have followed it. */
function tableOf(polynomial: bigint, bits: 32 | 64): Table {
  const low = new Int32Array(2048)
  const high = new Int32Array(2048)
  const values = Array.from({ length: 256 }, (_, index) => {
    let value = BigInt(index)
    for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 1n ? (value >> 1n) ^ polynomial : value >> 1n
    return value
  })
  let current = values
  for (let slice = 0; slice < 8; slice++) {
    for (const [index, value] of current.entries()) {
      low[slice * 256 + index] = Number(BigInt.asIntN(32, value))
      high[slice * 256 + index] = bits === 64 ? Number(BigInt.asIntN(32, value >> 32n)) : 0
    }
    current = current.map((value) => (value >> 8n) ^ (values[Number(value & 255n)] ?? 0n))
  }
  return { low, high }
}

function bytewise32(table: Int32Array, bytes: Uint8Array, before: number): number {
  let crc = before
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 255] as number)
  return crc
}

interface Aligned {
  readonly head: Uint8Array
  /** An even number of little-endian words. */
  readonly words: Int32Array
  readonly tail: Uint8Array
}

/** The same bytes, most of them as words: to take words out of bytes costs as much as the checksum. */
function aligned(bytes: Uint8Array): Aligned {
  if (IS_BIG_ENDIAN) return { head: bytes, words: new Int32Array(0), tail: bytes.subarray(0, 0) }
  const start = Math.min((4 - (bytes.byteOffset % 4)) % 4, bytes.byteLength)
  const pairs = Math.floor((bytes.byteLength - start) / 8)
  return {
    head: bytes.subarray(0, start),
    words: new Int32Array(bytes.buffer, pairs === 0 ? 0 : bytes.byteOffset + start, pairs * 2),
    tail: bytes.subarray(start + pairs * 8),
  }
}

const IS_BIG_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0
