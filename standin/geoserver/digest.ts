import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const SALT_BYTES = 16
const ROUNDS = 100_000

/** A password as users.xml keeps it: SHA-256 over salt and password, again and again. (Jasypt, `digest1:`) */
export function digest(password: string): string {
  const salt = randomBytes(SALT_BYTES)
  return `digest1:${Buffer.concat([salt, rounds(salt, password)]).toString('base64')}`
}

export function isPassword(kept: string, password: string): boolean {
  if (kept.startsWith('plain:')) return kept === `plain:${password}`
  const bytes = Buffer.from(kept.replace(/^digest1:/, ''), 'base64')
  const hash = bytes.subarray(SALT_BYTES)
  const made = rounds(bytes.subarray(0, SALT_BYTES), password)
  return hash.length === made.length && timingSafeEqual(hash, made)
}

function rounds(salt: Uint8Array, password: string): Buffer {
  let hash = createHash('sha256').update(salt).update(password.normalize('NFC')).digest()
  for (let round = 1; round < ROUNDS; round++) hash = createHash('sha256').update(hash).digest()
  return hash
}
