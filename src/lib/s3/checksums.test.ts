import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CHECKSUM_ALGORITHMS,
  checksumIn,
  checksumOfHeader,
  checksumOfParts,
  etagOfParts,
  newChecksum,
  parseChecksum,
} from './checksums.ts'

const NINE = Buffer.from('123456789')

/** The check values of the catalogue of parametrised CRC algorithms, and of FIPS 180. */
const KNOWN = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
  SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
  MD5: '25f9e794323b453885f5181f1b624d0b',
} as const

function digestOf(algorithm: keyof typeof KNOWN, ...parts: readonly Uint8Array[]): Buffer {
  const checksum = newChecksum(algorithm)
  for (const part of parts) checksum.update(part)
  return checksum.digest()
}

const cut = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 5 })).map(([bytes, at]) => {
  const places = [0, ...at.map((place) => Math.min(place, bytes.length)), bytes.length].toSorted((a, b) => a - b)
  return { bytes, parts: places.slice(1).map((end, index) => bytes.subarray(places[index], end)) }
})

describe('checksums of S3', () => {
  it('are the known ones', () => {
    for (const [algorithm, hex] of Object.entries(KNOWN)) {
      expect(digestOf(algorithm as keyof typeof KNOWN, NINE).toString('hex')).toBe(hex)
    }
    // facts: RFC 3720, B.4, a test vector of 32 bytes for CRC-32C.
    expect(digestOf('CRC32C', Buffer.alloc(32)).toString('hex')).toBe('8a9136aa')
    expect(digestOf('CRC32C', Buffer.alloc(32, 0xff)).toString('hex')).toBe('62a8ab43')
    // facts: NVM Express NVM Command Set Specification, test cases of the 64-bit CRC over 4 KiB.
    expect(digestOf('CRC64NVME', Buffer.alloc(4096)).toString('hex')).toBe('6482d367eb22b64e')
    expect(digestOf('CRC64NVME', Buffer.alloc(4096, 0xff)).toString('hex')).toBe('c0ddba7302eca3ac')
  })

  it('do not depend on how the bytes came, nor on where they lie in memory', () => {
    fc.assert(
      fc.property(cut, fc.constantFrom(...CHECKSUM_ALGORITHMS), ({ bytes, parts }, algorithm) => {
        expect(digestOf(algorithm, ...parts)).toEqual(digestOf(algorithm, bytes))
      }),
    )
  })

  it('of a whole are made from those of its parts', () => {
    fc.assert(
      fc.property(cut, fc.constantFrom('CRC32', 'CRC32C', 'CRC64NVME'), ({ bytes, parts }, algorithm) => {
        const sums = parts.map((part) => ({ value: digestOf(algorithm, part), size: part.byteLength }))
        expect(checksumOfParts(algorithm, 'FULL_OBJECT', sums)).toBe(digestOf(algorithm, bytes).toString('base64'))
      }),
    )
    expect(() => checksumOfParts('SHA256', 'FULL_OBJECT', [])).toThrow(
      expect.objectContaining({ code: 'InvalidRequest' }),
    )
  })

  it('of ten thousand parts are made at once, and of large ones', () => {
    const value = digestOf('CRC64NVME', NINE)
    const parts = Array.from({ length: 10_000 }, () => ({ value, size: 5_368_709_120 }))
    expect(checksumOfParts('CRC64NVME', 'FULL_OBJECT', parts)).toMatch(/^[A-Za-z0-9+/]{11}=$/)
  })

  it('of parts are hashed again where they are composite', () => {
    const parts = [Buffer.from('a'), Buffer.from('b')].map((part) => ({ value: digestOf('CRC32', part), size: 1 }))
    const all = Buffer.concat(parts.map(({ value }) => value))
    const expected = Buffer.alloc(4)
    expected.writeUInt32BE(crc32(all))
    expect(checksumOfParts('CRC32', 'COMPOSITE', parts)).toBe(`${expected.toString('base64')}-2`)
    const md5s = ['a', 'b'].map((part) => createHash('md5').update(part).digest('hex'))
    const md5 = createHash('md5')
      .update(Buffer.from(md5s.join(''), 'hex'))
      .digest('hex')
    expect(etagOfParts(md5s)).toBe(`${md5}-2`)
  })

  it('are read from headers, one at most, and only of their length', () => {
    expect(checksumIn({ host: 'x' })).toBeUndefined()
    expect(checksumIn({ 'x-amz-checksum-crc32': '2JMqrA==' })).toEqual({
      algorithm: 'CRC32',
      value: Buffer.from('d8932aac', 'hex'),
    })
    expect(checksumIn({ 'x-amz-checksum-crc32': ['2JMqrA=='] })?.algorithm).toBe('CRC32')
    for (const headers of [
      { 'x-amz-checksum-crc32': '2JMqrA' },
      { 'x-amz-checksum-sha1': '2JMqrA==' },
      { 'x-amz-checksum-crc32': '' },
      { 'x-amz-checksum-crc32': '2JMqrA==', 'x-amz-checksum-crc32c': '2JMqrA==' },
    ]) {
      expect(() => checksumIn(headers)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }))
    }
    expect(() => parseChecksum('MD5', '2JMqrA==')).toThrow(expect.objectContaining({ code: 'InvalidDigest' }))
    expect(checksumOfHeader('x-amz-checksum-crc64nvme')).toBe('CRC64NVME')
    expect(checksumOfHeader('x-amz-checksum-type')).toBeUndefined()
  })
})
