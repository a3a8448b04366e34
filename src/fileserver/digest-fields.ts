import { createHash, type Hash } from 'node:crypto'
import { S3Error } from '../lib/s3/errors.ts'
import type { Exchange } from './exchange.ts'

/** What RFC 9530 lets a client say of a file: `Repr-Digest`, and `Content-Digest`, which is the same of a body that is sent as it is. */
export interface Digests {
  /** Hex. */
  readonly sha256?: string | undefined
  readonly sha512?: Buffer | undefined
}

const BYTES = { 'sha-256': 32, 'sha-512': 64 } as const

/** Throws `InvalidDigest` for one that has no proper form, `BadDigest` for two that contradict each other. Algorithms that are not known mean nothing. */
export function digestsIn(exchange: Exchange): Digests {
  // What comes in the chunks of S3 is not what would have been digested.
  const names = exchange.payload.kind === 'chunked' ? ['repr-digest'] : ['repr-digest', 'content-digest']
  const values = names.flatMap((name) => exchange.header(name) ?? [])
  if (values.length === 0) return {}
  return { sha256: digestIn(values, 'sha-256')?.toString('hex'), sha512: digestIn(values, 'sha-512') }
}

function digestIn(values: readonly string[], algorithm: keyof typeof BYTES): Buffer | undefined {
  let found: Buffer | undefined
  for (const member of values.flatMap((value) => value.split(','))) {
    const equals = member.indexOf('=')
    if (member.slice(0, Math.max(equals, 0)).trim().toLowerCase() !== algorithm) continue
    const [, base64 = ''] = /^:([A-Za-z0-9+/]+={0,2}):(?:;.*)?$/.exec(member.slice(equals + 1).trim()) ?? []
    const digest = Buffer.from(base64, 'base64')
    if (digest.byteLength !== BYTES[algorithm]) {
      throw new S3Error('InvalidDigest', `The digest ${algorithm} that you specified is not valid.`)
    }
    if (found !== undefined && !found.equals(digest)) throw new S3Error('BadDigest')
    found = digest
  }
  return found
}

/** Looks at every chunk, and throws `BadDigest` at the end, which is undefined, if it was another. */
export function checkOfSha512(expected: Buffer): (chunk: Uint8Array | undefined) => void {
  const hash: Hash = createHash('sha512')
  return (chunk) => {
    if (chunk !== undefined) hash.update(chunk)
    else if (!hash.digest().equals(expected)) {
      throw new S3Error('BadDigest', 'The sha-512 you specified did not match the calculated checksum.')
    }
  }
}

/** Whether somebody wants to know the SHA-256 of a file, or of what they put. */
export function wantsDigest(exchange: Exchange): boolean {
  const wish = exchange.header('want-repr-digest')
  return wish !== undefined && /(?:^|,)\s*sha-256\s*(?:=\s*(?:10|[1-9])\s*)?(?:,|$)/i.test(wish)
}

export function digestField(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
}
