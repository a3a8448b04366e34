/**
 * Cyclic redundancy checks that node:zlib has not, eight bytes a step ("slicing by 8"). Both are reflected, start from ones and end
 * inverted. `previous` is the checksum of the bytes that went before.
 */

export const POLYNOMIALS = { crc32: 0xedb88320n, crc32c: 0x82f63b78n, crc64nvme: 0x9a6c9329ac4bc9b5n } as const

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const table = (table32 ??= tableOf(POLYNOMIALS.crc32c, 32).low)
  const steps = bytes.byteLength - (bytes.byteLength % 8)
  let crc = ~previous
  let at = 0
  for (; at < steps; at += 8) {
    const low = crc ^ word(bytes, at)
    const high = word(bytes, at + 4)
    crc =
      get(table, 1792 + (low & 255)) ^
      get(table, 1536 + ((low >>> 8) & 255)) ^
      get(table, 1280 + ((low >>> 16) & 255)) ^
      get(table, 1024 + (low >>> 24)) ^
      get(table, 768 + (high & 255)) ^
      get(table, 512 + ((high >>> 8) & 255)) ^
      get(table, 256 + ((high >>> 16) & 255)) ^
      get(table, high >>> 24)
  }
  for (; at < bytes.byteLength; at++) crc = (crc >>> 8) ^ get(table, (crc ^ byte(bytes, at)) & 255)
  return ~crc >>> 0
}

/** CRC-64/NVME, kept in two halves: numbers of 64 bits are slow. */
export class Crc64Nvme {
  #low = -1
  #high = -1

  update(bytes: Uint8Array): void {
    const { low, high } = (table64 ??= tableOf(POLYNOMIALS.crc64nvme, 64))
    const steps = bytes.byteLength - (bytes.byteLength % 8)
    let l = this.#low
    let h = this.#high
    let at = 0
    for (; at < steps; at += 8) {
      const a = l ^ word(bytes, at)
      const b = h ^ word(bytes, at + 4)
      const i7 = 1792 + (a & 255)
      const i6 = 1536 + ((a >>> 8) & 255)
      const i5 = 1280 + ((a >>> 16) & 255)
      const i4 = 1024 + (a >>> 24)
      const i3 = 768 + (b & 255)
      const i2 = 512 + ((b >>> 8) & 255)
      const i1 = 256 + ((b >>> 16) & 255)
      const i0 = b >>> 24
      l =
        get(low, i7) ^
        get(low, i6) ^
        get(low, i5) ^
        get(low, i4) ^
        get(low, i3) ^
        get(low, i2) ^
        get(low, i1) ^
        get(low, i0)
      h =
        get(high, i7) ^
        get(high, i6) ^
        get(high, i5) ^
        get(high, i4) ^
        get(high, i3) ^
        get(high, i2) ^
        get(high, i1) ^
        get(high, i0)
    }
    for (; at < bytes.byteLength; at++) {
      const index = (l ^ byte(bytes, at)) & 255
      l = ((l >>> 8) | (h << 24)) ^ get(low, index)
      h = (h >>> 8) ^ get(high, index)
    }
    this.#low = l
    this.#high = h
  }

  digest(): bigint {
    return (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0)
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
let table32: Int32Array | undefined
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

function word(bytes: Uint8Array, at: number): number {
  return byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24)
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function get(table: Int32Array, index: number): number {
  return table[index] as number
}
