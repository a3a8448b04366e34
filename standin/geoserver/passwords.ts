import type { Keystore } from './crypt.ts'
import type { Kind } from './kinds.ts'
import { child, type Element } from './xml.ts'

const PASSWORD_KEYS = new Set(['passwd', 'password', 'pass'])

/** The elements of a store that hold a password. */
export function secretsOf(kind: Kind, xml: Element): readonly Element[] {
  const parameters = child(xml, 'connectionParameters')?.children ?? []
  const password = kind === 'wmsStore' || kind === 'wmtsStore' ? child(xml, 'password') : undefined
  const entries = parameters.filter((entry) => PASSWORD_KEYS.has(entry.attributes['key'] ?? ''))
  return password === undefined ? entries : [...entries, password]
}

export function isEncrypted(node: Element): boolean {
  return /^crypt[12]:/.test(node.text ?? '')
}

/** Encrypts what came in plain; answers whether all that came encrypted can be read. */
export function encryptSecrets(kind: Kind, xml: Element, keystore: Keystore): boolean {
  for (const secret of secretsOf(kind, xml)) {
    const text = secret.text ?? ''
    if (text === '') continue
    const plain = isEncrypted(secret) ? keystore.decrypt(text) : text.replace(/^plain:/, '')
    if (plain === undefined) return false
    secret.text = keystore.encrypt(plain)
  }
  return true
}
