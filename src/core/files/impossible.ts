import { type FileEntry, KEY_BYTES_MAX } from './entry.ts'

const ETAG_CHARS_MAX = 256
/** The furthest a `Date` reaches. */
const TIME_MS_MAX = 8.64e15

/**
 * Why no file can be what a source says it is; undefined where one can. Whatever shape `entry` has in truth: it comes from outside.
 * A key that leads elsewhere, such as `../a`, is a key like any other: `keyPath` makes a name of it.
 */
export function impossible(entry: FileEntry): string | undefined {
  const { size, modifiedMs, etag, sha256, md5 } = entry
  const why = impossibleKey(entry.key)
  if (why !== undefined) return why
  if (!Number.isSafeInteger(size) || size < 0) return `its size is ${String(size).slice(0, 40)}`
  if (typeof modifiedMs !== 'number' || !(Math.abs(modifiedMs) <= TIME_MS_MAX)) return 'its time is none'
  if (typeof etag !== 'string' || etag.length > ETAG_CHARS_MAX || !ETAG.test(etag)) return 'its ETag is none'
  if (sha256 !== undefined && !(typeof sha256 === 'string' && SHA256.test(sha256))) return 'its SHA-256 is none'
  if (md5 !== undefined && !(typeof md5 === 'string' && MD5.test(md5))) return 'its MD5 is none'
  return undefined
}

export function impossibleKey(key: string): string | undefined {
  if (typeof key !== 'string') return 'its key is no text'
  if (key === '') return 'its key is empty'
  if (key.includes('\0')) return 'its key holds a NUL'
  if (!key.isWellFormed()) return 'its key is not valid Unicode'
  // A code unit is at most three bytes.
  if (key.length * 3 > KEY_BYTES_MAX && utf8Bytes(key) > KEY_BYTES_MAX)
    return `its key has more than ${KEY_BYTES_MAX} bytes`
  return undefined
}

/** What may stand between the quotes of an ETag in a header. */
const ETAG = /^[\x21\x23-\x7e]*$/
const SHA256 = /^[0-9a-f]{64}$/
const MD5 = /^[0-9a-f]{32}$/

function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0x80) bytes += unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}
