import { FlotillaError } from './errors.ts'
import { STORE_LIMITS, type Txn } from './store.ts'

/** The limits of the store's contract, checked in one place by every implementation and by the hub. */

const KEY = /^[!-~]+$/

/** Throws `BAD_REQUEST` or `TOO_LARGE` unless `key` may name an entry. */
export function checkKey(key: string): void {
  if (key === '') throw new FlotillaError('BAD_REQUEST', 'the key is empty')
  checkPrefix(key)
}

/** Throws `BAD_REQUEST` or `TOO_LARGE` unless `prefix` is empty or could begin a key. */
export function checkPrefix(prefix: string): void {
  if (prefix.length > STORE_LIMITS.keyLength) {
    throw new FlotillaError('TOO_LARGE', `a key of ${prefix.length} characters; at most ${STORE_LIMITS.keyLength}`)
  }
  if (prefix !== '' && !KEY.test(prefix)) {
    throw new FlotillaError('BAD_REQUEST', `malformed key ${JSON.stringify(prefix)}`, {
      hint: 'A key holds printable ASCII characters without spaces.',
    })
  }
}

/** Every prefix of a watch, once each. Throws where one could not begin a key, and where there are too many. */
export function checkPrefixes(prefix: string, also: readonly string[] = []): readonly string[] {
  const prefixes = [...new Set([prefix, ...also])]
  for (const each of prefixes) checkPrefix(each)
  if (prefixes.length <= STORE_LIMITS.prefixes) return prefixes
  throw new FlotillaError('TOO_LARGE', `a watch of ${prefixes.length} prefixes; at most ${STORE_LIMITS.prefixes}`)
}

/** Throws unless the transaction is within every limit and changes no key twice. Returns the bytes of its values. */
export function checkTxn(txn: Txn): number {
  const { expect = [], changes } = txn
  atMost(expect.length, STORE_LIMITS.expectations, 'expectations')
  atMost(changes.length, STORE_LIMITS.changes, 'changes')
  for (const { key, revision } of expect) {
    checkKey(key)
    checkRevision(revision)
  }
  const seen = new Set<string>()
  let bytes = 0
  for (const change of changes) {
    checkKey(change.key)
    if (seen.has(change.key)) throw new FlotillaError('BAD_REQUEST', `the transaction changes ${change.key} twice`)
    seen.add(change.key)
    if (change.op === 'put') bytes += checkedBytes(change.key, change.value)
  }
  atMost(bytes, STORE_LIMITS.txnBytes, 'bytes of values')
  return bytes
}

/** Throws `BAD_REQUEST` unless `revision` is a whole number from 0 on. */
export function checkRevision(revision: number): void {
  if (Number.isSafeInteger(revision) && revision >= 0) return
  throw new FlotillaError('BAD_REQUEST', `${revision} is not a revision`)
}

/** Throws `BAD_REQUEST` unless a lease may last `ttlMs`. */
export function checkTtl(ttlMs: number): void {
  const { leaseMinMs, leaseMaxMs } = STORE_LIMITS
  if (ttlMs >= leaseMinMs && ttlMs <= leaseMaxMs) return
  throw new FlotillaError('BAD_REQUEST', `a lease of ${ttlMs} ms; it lasts ${leaseMinMs} to ${leaseMaxMs} ms`)
}

function checkedBytes(key: string, value: string): number {
  if (!value.isWellFormed()) {
    throw new FlotillaError('BAD_REQUEST', `the value of ${key} is not well-formed Unicode`)
  }
  const bytes = utf8Bytes(value)
  if (bytes <= STORE_LIMITS.valueBytes) return bytes
  throw new FlotillaError('TOO_LARGE', `the value of ${key} has ${bytes} bytes; at most ${STORE_LIMITS.valueBytes}`)
}

/** Length in UTF-8 of a well-formed string. */
function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // Each half of a surrogate pair counts two of the pair's four bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2
  }
  return bytes
}

function atMost(count: number, limit: number, what: string): void {
  if (count <= limit) return
  throw new FlotillaError('TOO_LARGE', `${count} ${what} in one transaction; at most ${limit}`)
}
