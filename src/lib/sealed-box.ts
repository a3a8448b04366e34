import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { FlotillaError } from '../core/errors.ts'
import type { Secret } from './secret.ts'

/** One who can open boxes. The secret part never leaves the process. */
export interface BoxKeys {
  /** 32 bytes as base64url. */
  readonly publicKey: string
  readonly secretKey: KeyObject
}

export interface BoxOptions {
  /** What both must agree on, such as who it is for and which request it answers: a box for anything else does not open. */
  readonly context: string
  /**
   * Known to nobody but the two, and brought from one to the other by a person: with it, whoever carries public key and box can neither
   * read it nor put one of their own in its place. Without it they must be trusted not to.
   */
  readonly code?: Secret | undefined
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** DER of an X25519 public key, up to its bytes (RFC 8410). */
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

export function newBoxKeys(): BoxKeys {
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI.byteLength)
  return { publicKey: raw.toString('base64url'), secretKey: privateKey }
}

/**
 * Seals `content` for the owner of a public key: X25519 with a key of its own, HKDF-SHA256, AES-256-GCM. Answers base64url.
 * Throws `CORRUPT` for what is no public key.
 */
export function seal(content: Uint8Array, publicKey: string, options: BoxOptions): string {
  const own = newBoxKeys()
  const { key, nonce } = keyFor(own.secretKey, publicKey, { from: own.publicKey, to: publicKey }, options)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const sealed = Buffer.concat([cipher.update(content), cipher.final()])
  return Buffer.concat([Buffer.from(own.publicKey, 'base64url'), sealed, cipher.getAuthTag()]).toString('base64url')
}

/** Throws `CORRUPT` for a box that was sealed for another key, context or code, or is no longer as it was. */
export function open(box: string, keys: BoxKeys, options: BoxOptions): Uint8Array {
  const bytes = Buffer.from(box, 'base64url')
  if (bytes.byteLength < KEY_BYTES + TAG_BYTES) throw notOpened()
  const from = bytes.subarray(0, KEY_BYTES).toString('base64url')
  const { key, nonce } = keyFor(keys.secretKey, from, { from, to: keys.publicKey }, options)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(KEY_BYTES, -TAG_BYTES)), decipher.final()])
  } catch (cause) {
    throw notOpened(cause)
  }
}

/** A key is used for one box only, so the nonce may come from it. */
function keyFor(
  own: KeyObject,
  other: string,
  { from, to }: { readonly from: string; readonly to: string },
  { context, code }: BoxOptions,
): { readonly key: Buffer; readonly nonce: Buffer } {
  const info = JSON.stringify(['sealed box of Flotilla, 1', context, from, to])
  const salt = code === undefined ? '' : `code ${code.reveal()}`
  const made = Buffer.from(hkdfSync('sha256', shared(own, other), salt, info, KEY_BYTES + NONCE_BYTES))
  return { key: made.subarray(0, KEY_BYTES), nonce: made.subarray(KEY_BYTES) }
}

/** Throws for keys that give everybody the same result, as RFC 7748 asks for. */
function shared(own: KeyObject, other: string): Buffer {
  try {
    const raw = Buffer.from(other, 'base64url')
    if (raw.byteLength !== KEY_BYTES) throw new Error('a key has 32 bytes')
    const publicKey = createPublicKey({ key: Buffer.concat([SPKI, raw]), type: 'spki', format: 'der' })
    return diffieHellman({ privateKey: own, publicKey })
  } catch (cause) {
    throw new FlotillaError('CORRUPT', 'that is no public key of X25519', { cause })
  }
}

function notOpened(cause?: unknown): FlotillaError {
  return new FlotillaError('CORRUPT', 'the box does not open: it is for another key, context or code, or was changed', {
    cause,
  })
}
