import { sha256 } from '../../../lib/hash.ts'
import type { Element } from './xml.ts'

/** Stands where a password or an encrypted value was, in digests and in what people are shown. */
export const MASK = '(not shown)'

/** Encrypted by GeoServer with a random salt: the same password never looks the same twice. */
const ENCRYPTED = /^crypt[12]:/
/** Names of elements, attributes and connection parameters that hold a password, a key or a token. */
const SECRET_NAME =
  /(?:pass(?:wd|word|phrase)|secret|token|(?:access|secret|private|account|api|auth)[-_ ]?key(?:[-_ ]?id)?|header_?value|credentials?)$/i
/** The same, as parameters of addresses. */
const SECRET_PARAMETER =
  /((?:pass(?:word|wd)|pwd|token|secret|signature|\bsig|(?:access|secret|api|auth)_?key)=)[^&;\s]+/gi

/** Whether GeoServer encrypts what stands there once it writes the file itself: until then it may be in plain. */
function isPasswordPlace(element: Element): boolean {
  return isSecretName(element.attributes['key'] ?? element.name)
}

/** Whether a value of that name is a password, a key or a token. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** `${…}` is replaced by GeoServer from each node's own environment, and hides what it stands for. */
function isPlaceholder(value: string): boolean {
  return /^\$\{[^}]*\}$/.test(value)
}

/** How to read an element's text: as it is, or as a password of which only the hash may be known. */
export function isSecretText(element: Element): boolean {
  const { text } = element
  if (text === '') return false
  return ENCRYPTED.test(text) || (isPasswordPlace(element) && !isPlaceholder(text) && !isFlag(text))
}

function isPlainPassword(element: Element): boolean {
  return isSecretText(element) && !/^(?:crypt[12]|digest\d?):/.test(element.text)
}

/** Attributes are masked where they are encrypted; a digest in them changes only with its password, and counts. */
export function isSecretAttribute(value: string): boolean {
  return ENCRYPTED.test(value)
}

/** Elements that hold a password which anybody can read who can read the file. */
export function* plainPasswordsIn(element: Element): Generator<Element> {
  const { attributes, children } = element
  if (isPlainPassword(element) || attributes['password']?.startsWith('plain:') === true) yield element
  for (const child of children) yield* plainPasswordsIn(child)
}

/** A value as it may be shown: addresses may have a user's name and password in them. */
export function withoutCredentials(text: string): string {
  return text.replace(/(:\/\/)[^/@\s]+@/g, `$1${MASK}@`).replace(SECRET_PARAMETER, `$1${MASK}`)
}

/** `<sendPassword>true</sendPassword>` is no password. */
function isFlag(text: string): boolean {
  return text === 'true' || text === 'false'
}

/** SHA-256 of every value that the digest leaves out, in order. */
export function encryptedIn(root: Element): readonly string[] {
  const found: string[] = []
  collect(root, found)
  return found.length === 0 ? NONE : found
}

const NONE: readonly string[] = []

function collect(element: Element, found: string[]): void {
  for (const name in element.attributes) {
    const value = element.attributes[name] ?? ''
    if (isSecretAttribute(value)) found.push(sha256(value))
  }
  if (isSecretText(element)) found.push(sha256(element.text))
  for (const child of element.children) collect(child, found)
}
