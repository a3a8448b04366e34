/*
 * HAProxy retries where its hash says, and nowhere else. So the backend of placed keys hashes no key, but four bytes that
 * lead to one node: those whose CRC-32 is the first place of that node on HAProxy's ring. facts: HAProxy 2.6, lb_chash.c
 * (a server stands at full_hash(id × 4096 + n) for each n below its weight) and hash.c.
 */

const PLACES = 4096

/** Only so many bits of an id reach the ring: two nodes whose ids differ in none of them would stand on the same places. */
export const RING_IDS = 2 ** 32 / PLACES

/** The bytes, in Base64 for URLs, that `hash-type consistent crc32` sends to the server with this id, whoever else is there. */
export function ringToken(id: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(crcInverse(fullHash(Math.imul(id, PLACES) >>> 0)))
  return bytes.toString('base64url')
}

/** HAProxy's `full_hash`, one of Bob Jenkins' integer hashes. */
function fullHash(value: number): number {
  let a = value
  a = (a + 0x7ed55d16 + (a << 12)) >>> 0
  a = (a ^ 0xc761c23c ^ (a >>> 19)) >>> 0
  a = (a + 0x165667b1 + (a << 5)) >>> 0
  a = ((a + 0xd3a2646c) ^ (a << 9)) >>> 0
  a = (a + 0xfd7046c5 + (a << 3)) >>> 0
  a = (a ^ 0xb55a4f09 ^ (a >>> 16)) >>> 0
  return Math.imul(a, 3_221_225_473) >>> 0
}

const POLYNOMIAL = 0xedb88320
const ALL_BITS = 0xffffffff

/** The only four bytes, as a little-endian number, of which the CRC-32 is `crc`. */
function crcInverse(crc: number): number {
  let register = (crc ^ ALL_BITS) >>> 0
  for (let bit = 0; bit < 32; bit++) {
    const wasOdd = (register & 0x80000000) !== 0
    register = wasOdd ? (((register ^ POLYNOMIAL) << 1) | 1) >>> 0 : (register << 1) >>> 0
  }
  return (register ^ ALL_BITS) >>> 0
}
