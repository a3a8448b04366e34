import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Headers } from './canonical.ts'
import { Crc64Nvme, crc32c, CrcCombiner, POLYNOMIALS } from './crc.ts'
import { S3Error } from './errors.ts'

export type ChecksumAlgorithm = keyof typeof CHECKSUMS
/** How the checksum of an object that was uploaded in parts is made: of the parts' checksums, or as if of the whole. */
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT'

interface ChecksumKind {
  readonly header: string
  /** In XML. */
  readonly element: string
  readonly bytes: number
  /** The default first. facts: Amazon S3 User Guide, "Checking object integrity". */
  readonly types: readonly ChecksumType[]
}

export const CHECKSUMS = {
  CRC32: {
    header: 'x-amz-checksum-crc32',
    element: 'ChecksumCRC32',
    bytes: 4,
    types: ['COMPOSITE', 'FULL_OBJECT'],
  },
  CRC32C: {
    header: 'x-amz-checksum-crc32c',
    element: 'ChecksumCRC32C',
    bytes: 4,
    types: ['COMPOSITE', 'FULL_OBJECT'],
  },
  CRC64NVME: {
    header: 'x-amz-checksum-crc64nvme',
    element: 'ChecksumCRC64NVME',
    bytes: 8,
    types: ['FULL_OBJECT'],
  },
  SHA1: { header: 'x-amz-checksum-sha1', element: 'ChecksumSHA1', bytes: 20, types: ['COMPOSITE'] },
  SHA256: { header: 'x-amz-checksum-sha256', element: 'ChecksumSHA256', bytes: 32, types: ['COMPOSITE'] },
} as const satisfies Record<string, ChecksumKind>

export const CHECKSUM_ALGORITHMS = Object.keys(CHECKSUMS) as readonly ChecksumAlgorithm[]

/** Takes bytes as they come. `digest` may be called once. */
export interface Checksum {
  update(bytes: Uint8Array): void
  digest(): Buffer
}

export function newChecksum(algorithm: ChecksumAlgorithm | 'MD5'): Checksum {
  if (algorithm === 'CRC32') return new Crc32(crc32)
  if (algorithm === 'CRC32C') return new Crc32(crc32c)
  return algorithm === 'CRC64NVME' ? new Crc64() : createHash(algorithm.toLowerCase())
}

export function isChecksumAlgorithm(text: string): text is ChecksumAlgorithm {
  return Object.hasOwn(CHECKSUMS, text)
}

/** By the name of a header or a trailer, in lower case. */
export function checksumOfHeader(header: string): ChecksumAlgorithm | undefined {
  return CHECKSUM_ALGORITHMS.find((algorithm) => CHECKSUMS[algorithm].header === header)
}

/** Throws `InvalidRequest` for what is no checksum of that kind. */
export function parseChecksum(algorithm: ChecksumAlgorithm | 'MD5', base64: string): Buffer {
  const bytes = algorithm === 'MD5' ? 16 : CHECKSUMS[algorithm].bytes
  const value = Buffer.from(base64, 'base64')
  if (value.byteLength === bytes && value.toString('base64') === base64) return value
  if (algorithm === 'MD5') throw new S3Error('InvalidDigest')
  throw new S3Error('InvalidRequest', `Value for ${CHECKSUMS[algorithm].header} header is invalid.`)
}

export interface AnnouncedChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly value: Buffer
}

/** The checksum that stands in the headers of a request. Throws `InvalidRequest` where it is no such value, or where there are several. */
export function checksumIn(headers: Headers): AnnouncedChecksum | undefined {
  const found = CHECKSUM_ALGORITHMS.filter((algorithm) => headers[CHECKSUMS[algorithm].header] !== undefined)
  const [algorithm] = found
  if (algorithm === undefined) return undefined
  if (found.length > 1) {
    throw new S3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.',
    )
  }
  return { algorithm, value: parseChecksum(algorithm, String(headers[CHECKSUMS[algorithm].header])) }
}

export interface PartChecksum {
  readonly value: Uint8Array
  /** Bytes of the part. */
  readonly size: number
}

/** Of an object that was uploaded in these parts: base64, followed by `-3` if it is made of the checksums of three parts. */
export function checksumOfParts(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly PartChecksum[],
): string {
  if (type === 'FULL_OBJECT') return wholeOf(algorithm, parts).toString('base64')
  const checksum = newChecksum(algorithm)
  for (const { value } of parts) checksum.update(value)
  return `${checksum.digest().toString('base64')}-${parts.length}`
}

/** As documents tell the checksums among the headers that are kept with an object or a part. */
export function checksumElements(headers: Readonly<Record<string, string>>): Record<string, string> {
  const elements: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = checksumOfHeader(name)
    if (algorithm !== undefined) elements[CHECKSUMS[algorithm].element] = value
  }
  return elements
}

/** The ETag of an object that was uploaded in parts, without quotes; theirs are MD5 as hex. */
export function etagOfParts(md5s: readonly string[]): string {
  const md5 = createHash('md5')
  for (const part of md5s) md5.update(part, 'hex')
  return `${md5.digest('hex')}-${md5s.length}`
}

function wholeOf(algorithm: ChecksumAlgorithm, parts: readonly PartChecksum[]): Buffer {
  const name = algorithm.toLowerCase()
  if (name !== 'crc32' && name !== 'crc32c' && name !== 'crc64nvme') {
    throw new S3Error('InvalidRequest', `The FULL_OBJECT checksum type cannot be used with ${name}.`)
  }
  const { bytes } = CHECKSUMS[algorithm]
  const combiner = new CrcCombiner(POLYNOMIALS[name], bytes === 8 ? 64 : 32)
  let whole = 0n
  for (const { value, size } of parts) {
    whole = combiner.combine(whole, BigInt(`0x${Buffer.from(value).toString('hex')}`), size)
  }
  return Buffer.from(whole.toString(16).padStart(bytes * 2, '0'), 'hex')
}

class Crc32 implements Checksum {
  readonly #of: (bytes: Uint8Array, previous: number) => number
  #value = 0

  constructor(of: (bytes: Uint8Array, previous: number) => number) {
    this.#of = of
  }

  update(bytes: Uint8Array): void {
    this.#value = this.#of(bytes, this.#value)
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(this.#value)
    return bytes
  }
}

class Crc64 implements Checksum {
  readonly #crc = new Crc64Nvme()

  update(bytes: Uint8Array): void {
    this.#crc.update(bytes)
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(this.#crc.digest())
    return bytes
  }
}
