import { FlotillaError } from '../../core/errors.ts'
import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import { impossible } from '../../core/files/impossible.ts'
import { bad, type ListingEvents, ListingScanner, type RawObject } from './listing-scanner.ts'

export interface PageOptions {
  readonly bucket: string
  /** What was asked for: every key starts with it. */
  readonly prefix: string
  /** Cut off from keys. */
  readonly base: string
  /** Whether keys have to come in ascending order. */
  readonly isSorted: boolean
  /** The last key of the page before, with its base. */
  readonly after: string
}

export interface PageEnd {
  readonly isTruncated: boolean
  readonly token: string | undefined
  /** Of Version 1, where the service gives one. */
  readonly marker: string | undefined
  /** Not there in answers of Version 1. */
  readonly keyCount: number | undefined
  readonly lastKey: string
  readonly commonPrefixes: readonly string[]
}

/** More than any page has: a service that has no pages at all. What it sends is given on before it has ended. */
const PAGE_KEYS = 5000

/**
 * The objects of one answer, as it arrives; at its end what it tells of the next. Rejects with `BAD_LISTING` for one that
 * is not whole, of another bucket, or has keys that were not asked for, are out of order or have properties that no file has.
 */
export async function* readPage(
  body: AsyncIterable<Uint8Array>,
  options: PageOptions,
): AsyncGenerator<readonly FileEntry[], PageEnd> {
  const page = new Page(options)
  const scanner = new ListingScanner(page)
  for await (const chunk of body) {
    scanner.push(chunk)
    if (page.count >= PAGE_KEYS) yield page.take()
  }
  scanner.end()
  const rest = page.take()
  if (rest.length > 0) yield rest
  return page.end()
}

class Page implements ListingEvents {
  readonly #options: PageOptions
  readonly #fields = new Map<string, string>()
  readonly #prefixes: string[] = []
  #objects: RawObject[] = []
  #objectsInAll = 0
  #lastKey: string
  /** What was assumed for the keys that have been given on. */
  #isUrl: boolean | undefined

  constructor(options: PageOptions) {
    this.#options = options
    this.#lastKey = options.after
  }

  get count(): number {
    return this.#objects.length
  }

  object(object: RawObject): void {
    this.#objects.push(object)
  }

  commonPrefix(prefix: string): void {
    this.#prefixes.push(prefix)
  }

  field(name: string, text: string): void {
    this.#fields.set(name, text)
  }

  take(): readonly FileEntry[] {
    const isUrl = this.#fields.get('EncodingType') === 'url'
    if (this.#isUrl !== undefined && this.#isUrl !== isUrl) throw bad('it tells too late how its keys are encoded')
    this.#isUrl = isUrl
    const entries: FileEntry[] = []
    for (const object of this.#objects) {
      const entry = this.#entryOf(object, isUrl)
      if (entry !== undefined) entries.push(entry)
    }
    this.#objectsInAll += this.#objects.length
    this.#objects = []
    return entries
  }

  end(): PageEnd {
    const name = this.#fields.get('Name')
    const { bucket } = this.#options
    if (bucket !== '' && name !== undefined && name !== '' && name !== bucket) {
      throw bad(`it is of the bucket ${JSON.stringify(name.slice(0, 80))}`)
    }
    const keyCount = this.#keyCount()
    const token = this.#fields.get('NextContinuationToken')
    const marker = this.#fields.get('NextMarker')
    return {
      isTruncated: this.#fields.get('IsTruncated')?.trim() === 'true',
      token: token === '' ? undefined : token,
      marker: marker === undefined || marker === '' ? undefined : this.#decode(marker),
      keyCount,
      lastKey: this.#lastKey,
      commonPrefixes: this.#prefixes.map((prefix) => this.#decode(prefix)),
    }
  }

  #keyCount(): number | undefined {
    const text = this.#fields.get('KeyCount')
    if (text === undefined) return undefined
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (!(count <= this.#objectsInAll + this.#prefixes.length)) {
      throw bad(`it should have ${text.slice(0, 20)} keys, but has ${this.#objectsInAll + this.#prefixes.length}`)
    }
    return count
  }

  /** Undefined for the markers that stand for folders. */
  #entryOf(object: RawObject, isUrl: boolean): FileEntry | undefined {
    const { base, prefix, isSorted } = this.#options
    const key = isUrl ? decodeKey(object.key) : object.key
    if (!key.startsWith(prefix))
      throw bad(`${JSON.stringify(key.slice(0, 200))} does not start with ${JSON.stringify(prefix)}`)
    if (isSorted && this.#lastKey !== '' && compareKeys(this.#lastKey, key) >= 0) throw outOfOrder(this.#lastKey, key)
    this.#lastKey = key
    if (object.size === 0 && (key.endsWith('/') || key === base)) return undefined
    const { size, modifiedMs, etag } = object
    const md5 = MD5.test(etag) ? { md5: etag } : undefined
    const entry: FileEntry = {
      key: base === '' ? key : key.slice(base.length),
      size,
      modifiedMs,
      etag: plain(etag),
      ...md5,
    }
    const why = impossible(entry)
    if (why !== undefined) throw bad(`${JSON.stringify(key.slice(0, 200))}: ${why}`)
    return entry
  }

  #decode(text: string): string {
    return this.#isUrl === true ? decodeKey(text) : text
  }
}

const MD5 = /^[0-9a-f]{32}$/

function plain(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2).replaceAll('"', '') : etag
}

function decodeKey(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    throw bad(`${JSON.stringify(text.slice(0, 200))} is wrongly encoded`)
  }
}

function outOfOrder(before: string, key: string): FlotillaError {
  const place = `${JSON.stringify(key.slice(0, 200))} after ${JSON.stringify(before.slice(0, 200))}`
  return new FlotillaError(
    'BAD_LISTING',
    `the listing cannot be believed: it repeats itself or is out of order (${place})`,
    {
      hint: 'Some services list in another order than that of the bytes of a key: such a source has to be opened as unsorted.',
    },
  )
}
