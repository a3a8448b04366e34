import { FlotillaError } from '../../core/errors.ts'

/** What a listing page consists of, in the order it comes. Texts are as they stand, entities resolved, nothing decoded. */
export interface ListingEvents {
  /** An object; `etag` without quotes. */
  object(object: RawObject): void
  commonPrefix(prefix: string): void
  /** Any other element directly in the root, such as `IsTruncated`. */
  field(name: string, text: string): void
}

export interface RawObject {
  readonly key: string
  readonly size: number
  readonly modifiedMs: number
  readonly etag: string
}

/** No element of a listing is longer: a key of a kilobyte may have nine characters a byte. */
const TOKEN_MAX = 64 * 1024
const DEPTH_MAX = 12

/**
 * Reads the XML of a listing as it arrives. By hand, byte by byte: a full XML parser takes more time for a page than all else that is
 * done with it. It knows just the XML that listings consist of, and refuses the rest (document types, unknown entities, tags that do not
 * match) with `BAD_LISTING`, as it does everything that is cut short.
 */
export class ListingScanner {
  readonly #events: ListingEvents
  /** Of the open elements. */
  readonly #names = new Int32Array(DEPTH_MAX)
  #depth = 0
  #isDone = false
  /** A token of which the end has not arrived. */
  #rest: Buffer = Buffer.alloc(0)
  /** Text of the innermost element that came before a comment or a CDATA section. */
  #text = ''
  #object: Partial<Record<'key' | 'etag', string>> & { size?: number; modifiedMs?: number } = {}

  constructor(events: ListingEvents) {
    this.#events = events
  }

  push(chunk: Uint8Array): void {
    const arrived = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const bytes = this.#rest.byteLength === 0 ? arrived : Buffer.concat([this.#rest, arrived])
    let at = 0
    while (at < bytes.byteLength) {
      let tag = at
      while (tag < bytes.byteLength && bytes[tag] !== LESS) tag++
      const end = tag < bytes.byteLength ? this.#endOfTag(bytes, tag) : -1
      if (end === -1) break
      this.#onTag(bytes, at, tag, end)
      at = end
    }
    if (bytes.byteLength - at > TOKEN_MAX) throw bad('an element has no end')
    this.#rest = at === bytes.byteLength ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
  }

  /** To be called when all has arrived. */
  end(): void {
    if (!this.#isDone) throw bad('it is cut short')
    if (this.#rest.toString('latin1').trim() !== '') throw bad('something follows it')
  }

  /** Where the tag that starts at `tag` has ended; -1 if that has not arrived. */
  #endOfTag(bytes: Buffer, tag: number): number {
    const kind = bytes[tag + 1]
    if (kind === undefined) return -1
    if (kind === QUESTION) return after(bytes, '?>', tag)
    if (kind !== EXCLAMATION) {
      let end = tag + 1
      while (end < bytes.byteLength && bytes[end] !== GREATER) end++
      return end < bytes.byteLength ? end + 1 : -1
    }
    if (bytes.byteLength < tag + CDATA.length) return -1
    if (bytes.toString('latin1', tag, tag + CDATA.length) === CDATA) return after(bytes, ']]>', tag + CDATA.length)
    if (bytes.toString('latin1', tag, tag + 4) === '<!--') return after(bytes, '-->', tag + 4)
    throw bad('it has a document type')
  }

  #onTag(bytes: Buffer, start: number, tag: number, end: number): void {
    const kind = bytes[tag + 1]
    if (kind === SLASH) this.#close(bytes, start, tag, end)
    else if (kind === QUESTION || kind === EXCLAMATION) {
      this.#text += textOf(bytes, start, tag)
      if (bytes[tag + 2] === BRACKET) this.#text += bytes.toString('utf8', tag + CDATA.length, end - 3)
    } else {
      this.#text = ''
      this.#open(hashIn(bytes, tag + 1, end - 1))
      if (bytes[end - 2] === SLASH) this.#pop(bytes, tag, tag)
    }
  }

  #open(name: number): void {
    if (this.#isDone) throw bad('something follows it')
    if (this.#depth === 0 && name !== NAMES.ListBucketResult) throw bad('it is none')
    if (this.#depth === DEPTH_MAX) throw bad('its elements are nested too deeply')
    this.#names[this.#depth++] = name
    if (this.#depth === 2) this.#object = {}
  }

  #close(bytes: Buffer, start: number, tag: number, end: number): void {
    const name = hashIn(bytes, tag + 2, end - 1)
    if (this.#depth === 0 || this.#names[this.#depth - 1] !== name) throw bad('its tags do not match')
    this.#pop(bytes, start, tag)
  }

  #pop(bytes: Buffer, start: number, end: number): void {
    const name = this.#names[this.#depth - 1] as number
    const parent = this.#depth > 1 ? this.#names[this.#depth - 2] : 0
    if (this.#depth === 3 && parent === NAMES.Contents) this.#onProperty(name, bytes, start, end)
    else if (this.#depth === 3 && parent === NAMES.CommonPrefixes) {
      if (name === NAMES.Prefix) this.#events.commonPrefix(this.#textIn(bytes, start, end))
    } else if (this.#depth === 2 && name === NAMES.Contents) this.#onObject()
    else if (this.#depth === 2) {
      const known = FIELDS.get(name)
      if (known !== undefined) this.#events.field(known, this.#textIn(bytes, start, end))
    }
    this.#text = ''
    this.#depth--
    this.#isDone = this.#depth === 0
  }

  #onProperty(name: number, bytes: Buffer, start: number, end: number): void {
    if (name === NAMES.Key) this.#object.key = this.#textIn(bytes, start, end)
    else if (name === NAMES.Size) this.#object.size = sizeOf(bytes, start, end)
    else if (name === NAMES.LastModified) this.#object.modifiedMs = timeOf(bytes, start, end)
    else if (name === NAMES.ETag) this.#object.etag = etagOf(bytes, start, end)
  }

  #onObject(): void {
    const { key, size, modifiedMs, etag = '' } = this.#object
    if (key === undefined) throw bad('an object has no key')
    if (size === undefined || modifiedMs === undefined) throw bad(`${JSON.stringify(key)} has no size or no time`)
    this.#events.object({ key, size, modifiedMs, etag })
  }

  #textIn(bytes: Buffer, start: number, end: number): string {
    const text = textOf(bytes, start, end)
    return this.#text === '' ? text : this.#text + text
  }
}

const LESS = 0x3c
const GREATER = 0x3e
const SLASH = 0x2f
const QUESTION = 0x3f
const EXCLAMATION = 0x21
const BRACKET = 0x5b
const COLON = 0x3a
const AMPERSAND = 0x26
const LETTER_Q = 0x71
const LETTER_T = 0x54
const LETTER_Z = 0x5a
const CDATA = '<![CDATA['

/** Elements are told apart by a number that is made of their name while it is read. */
const NAMES = {
  ListBucketResult: hashOf('ListBucketResult'),
  Contents: hashOf('Contents'),
  CommonPrefixes: hashOf('CommonPrefixes'),
  Prefix: hashOf('Prefix'),
  Key: hashOf('Key'),
  Size: hashOf('Size'),
  LastModified: hashOf('LastModified'),
  ETag: hashOf('ETag'),
} as const

const FIELDS: ReadonlyMap<number, string> = new Map(
  ['Name', 'Prefix', 'IsTruncated', 'NextContinuationToken', 'NextMarker', 'KeyCount', 'EncodingType'].map((name) => [
    hashOf(name),
    name,
  ]),
)

function hashOf(name: string): number {
  const bytes = Buffer.from(name)
  return hashIn(bytes, 0, bytes.byteLength)
}

/** Of the name that starts there, without its namespace's prefix, up to white space, a slash or the end. */
function hashIn(bytes: Buffer, start: number, end: number): number {
  let hash = 7
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte <= 0x20 || byte === SLASH) break
    hash = byte === COLON ? 7 : (Math.imul(hash, 31) + byte) | 0
  }
  return hash
}

function after(bytes: Buffer, what: string, from: number): number {
  const at = bytes.indexOf(what, from, 'latin1')
  return at === -1 ? -1 : at + what.length
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  return text.includes('&') ? text.replace(/&([^;&]{0,10};?)/g, resolve) : text
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp;', '&'],
  ['lt;', '<'],
  ['gt;', '>'],
  ['quot;', '"'],
  ['apos;', "'"],
])

function resolve(_: string, entity: string): string {
  const known = ENTITIES.get(entity)
  if (known !== undefined) return known
  const [, hex, decimal] = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}));$/i.exec(entity) ?? []
  const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16)
  const isCharacter = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
  if (!isCharacter) throw bad('it has an unknown entity')
  return String.fromCodePoint(code)
}

function sizeOf(bytes: Buffer, start: number, end: number): number {
  const size = end > start && end - start <= 16 ? digits(bytes, start, end) : Number.NaN
  if (Number.isSafeInteger(size)) return size
  throw bad(`it has a size of ${JSON.stringify(bytes.toString('latin1', start, Math.min(end, start + 40)))}`)
}

/** `2026-11-21T12:00:00.000Z`, with or without fractions, by its digits; anything else as JavaScript reads it. */
function timeOf(bytes: Buffer, start: number, end: number): number {
  const length = end - start
  if ((length === 24 || length === 20) && bytes[start + 10] === LETTER_T && bytes[end - 1] === LETTER_Z) {
    const at = start
    const day = Date.UTC(digits(bytes, at, at + 4), digits(bytes, at + 5, at + 7) - 1, digits(bytes, at + 8, at + 10))
    const [hour, minute] = [digits(bytes, at + 11, at + 13), digits(bytes, at + 14, at + 16)]
    const second = digits(bytes, at + 17, at + 19)
    const ms = day + ((hour * 60 + minute) * 60 + second) * 1000 + (length === 24 ? digits(bytes, at + 20, at + 23) : 0)
    if (!Number.isNaN(ms)) return ms
  }
  const text = bytes.toString('latin1', start, end)
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw bad(`it has a time of ${JSON.stringify(text.slice(0, 40))}`)
  return ms
}

/** NaN for what is no number. */
function digits(bytes: Buffer, start: number, end: number): number {
  let number = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    number = number * 10 + digit
  }
  return number
}

/** Without its quotes, which stand there as such or as an entity. */
function etagOf(bytes: Buffer, start: number, end: number): string {
  const quote = bytes[start] === AMPERSAND && bytes[start + 1] === LETTER_Q ? 6 : 0
  if (quote > 0 && end - start >= 12 && bytes[end - 6] === AMPERSAND) {
    const inside = bytes.toString('latin1', start + quote, end - quote)
    if (!inside.includes('&')) return inside
  }
  const etag = textOf(bytes, start, end)
  return etag.startsWith('"') && etag.endsWith('"') && etag.length > 1 ? etag.slice(1, -1) : etag
}

export function bad(why: string): FlotillaError {
  return new FlotillaError('BAD_LISTING', `the listing cannot be believed: ${why}`)
}
