import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const SALT_BYTES = 16
const ROUNDS = 100_000

/** A password as users.xml keeps it: SHA-256 over salt and password, again and again. (Jasypt, `digest1:`) */
export function digest(password: string, salt: Uint8Array = randomBytes(SALT_BYTES)): string {
  return `digest1:${Buffer.concat([salt, rounds(salt, password)]).toString('base64')}`
}

export function isPassword(kept: string, password: string): boolean {
  if (kept.startsWith('plain:')) return kept === `plain:${password}`
  const bytes = Buffer.from(kept.replace(/^digest1:/, ''), 'base64')
  const hash = bytes.subarray(SALT_BYTES)
  const made = rounds(bytes.subarray(0, SALT_BYTES), password)
  return hash.length === made.length && timingSafeEqual(hash, made)
}

/** What was computed before: it takes a tenth of a second, and many nodes of a test have one password. */
const computed = new Map<string, Buffer>()

function rounds(salt: Uint8Array, password: string): Buffer {
  const key = `${Buffer.from(salt).toString('hex')} ${password}`
  const known = computed.get(key)
  if (known !== undefined) return known
  let hash = createHash('sha256').update(salt).update(password.normalize('NFC')).digest()
  for (let round = 1; round < ROUNDS; round++) hash = createHash('sha256').update(hash).digest()
  computed.set(key, hash)
  return hash
}
