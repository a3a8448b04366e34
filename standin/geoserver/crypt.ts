import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

const SALT_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts the passwords of stores with what the node's keystore holds, salted anew each time. Not GeoServer's cipher:
 * what matters is that one keystore cannot read what another has written.
 */
export class Keystore {
  readonly #key: Buffer

  constructor(jceks: Uint8Array) {
    this.#key = createHash('sha256').update(jceks).digest()
  }

  encrypt(plain: string): string {
    const salt = randomBytes(SALT_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, salt)
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return `crypt1:${Buffer.concat([salt, cipher.getAuthTag(), body]).toString('base64')}`
  }

  /** Undefined when another keystore has written it. */
  decrypt(value: string): string | undefined {
    const bytes = Buffer.from(value.replace(/^crypt[12]:/, ''), 'base64')
    const bodyAt = SALT_BYTES + TAG_BYTES
    if (bytes.length < bodyAt) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, SALT_BYTES))
    decipher.setAuthTag(bytes.subarray(SALT_BYTES, bodyAt))
    try {
      return decipher.update(bytes.subarray(bodyAt), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      return undefined
    }
  }
}
