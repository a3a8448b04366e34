import type { FlotillaError } from '../../core/errors.ts'
import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import type { ListScope } from '../../core/files/source.ts'
import type { Op } from '../../core/op.ts'
import type { PoolAnswer } from '../../lib/http-pool.ts'
import type { Parameter } from '../../lib/s3/target.ts'
import type { S3Connection } from './connection.ts'
import { inOrder, type Unit } from './in-order.ts'
import { type PageEnd, readPage } from './listing-page.ts'
import { bad } from './listing-scanner.ts'
import { splitPoints } from './split.ts'

export interface ListingOptions {
  readonly connection: S3Connection
  readonly bucket: string
  readonly base: string
  readonly isSorted: boolean
  /** How many requests for a listing are under way at once. */
  readonly parallel: number
  /** More keys than this are no listing that can be meant. */
  readonly keysMax: number
  /** How long an answer takes from where on a long listing is asked for in several pieces at once. */
  readonly slowMs: number
  readonly monotonicMs: () => number
}

type Page = readonly FileEntry[]
/** Where a page begins. */
type Position = { readonly token: string } | { readonly after: string }

/** The keys after `after` up to and including `upTo`; all with undefined. */
interface Range {
  readonly prefix: string
  readonly after: string
  readonly upTo: string | undefined
  /** Not to be left to be listed in pieces. */
  readonly isWhole: boolean
}

const EMPTY_PAGES_MAX = 1000
const PIECES = 32
/** Comes after everything in a folder. */
const LAST = '\u{10FFFF}'

/** Lists a bucket by `ListObjectsV2`, or by the first version where the service has only that. */
export class Listing {
  readonly #options: ListingOptions
  #version: 1 | 2 | undefined

  constructor(options: ListingOptions) {
    this.#options = options
  }

  /** As `FileSource.list`. */
  async *list({ prefixes, enters, signal }: ListScope & Op): AsyncGenerator<Page, void> {
    const { base, parallel, keysMax } = this.#options
    const wanted = disjoint((prefixes ?? ['']).map((prefix) => base + prefix))
    const units = wanted.map(
      (prefix): Unit<Page> =>
        (signal) =>
          this.#prefix(prefix, enters, signal),
    )
    let count = 0
    for await (const page of inOrder(units, { parallel, ahead: 2, signal })) {
      count += page.length
      if (count > keysMax) throw bad(`it has more than ${keysMax} keys`)
      if (page.length > 0) yield page
    }
  }

  /** Common prefixes of what comes after `after`, one page of them. */
  async folders(prefix: string, after: string, signal: AbortSignal): Promise<readonly string[]> {
    const position = { after }
    const answer = await this.#ask(prefix, position, signal, '/')
    const page = readPage(answer.body, { ...this.#options, prefix, after: '', isSorted: false })
    for (let part = await page.next(); ; part = await page.next())
      if (part.done === true) return part.value.commonPrefixes
  }

  /** One page after the other, until the service turns out to be slow to answer and there to be more: then in pieces, several at once. */
  async *#prefix(prefix: string, enters: ListScope['enters'], signal: AbortSignal): AsyncGenerator<Page, void> {
    const { parallel, isSorted } = this.#options
    const isWhole = parallel === 1 || !isSorted
    const after = yield* this.#range({ prefix, after: '', upTo: undefined, isWhole }, enters, signal)
    if (after === undefined) return
    const starts = [after, ...(await splitPoints(this, prefix, after, PIECES, signal))]
    const units = starts.map(
      (after, index): Unit<Page> =>
        (signal) =>
          this.#range({ prefix, after, upTo: starts[index + 1], isWhole: true }, enters, signal),
    )
    yield* inOrder(units, { parallel, ahead: 4, signal })
  }

  /** Returns the key after which to go on, where it did not go to the end because that takes long. */
  async *#range(
    range: Range,
    enters: ListScope['enters'],
    signal: AbortSignal,
  ): AsyncGenerator<Page, string | undefined> {
    const { prefix, after, upTo, isWhole } = range
    const { monotonicMs, slowMs } = this.#options
    let position: Position = { after }
    let last = after
    let empty = 0
    for (let count = 1; ; count++) {
      const askedMs = monotonicMs()
      const answer = await this.#ask(prefix, position, signal)
      // Connecting is part of the first.
      const isSlow = count === 2 && monotonicMs() - askedMs >= slowMs
      const pages = readPage(answer.body, { ...this.#options, prefix, after: last })
      let part = await pages.next()
      for (; part.done !== true; part = await pages.next()) yield this.#upTo(part.value, upTo)
      const end = part.value
      const next = this.#after(end, position, enters)
      if (next === undefined || (upTo !== undefined && compareKeys(end.lastKey, upTo) >= 0)) return undefined
      empty = end.lastKey === last ? empty + 1 : 0
      if (empty > EMPTY_PAGES_MAX) throw bad('page after page of it is empty')
      position = next
      last = end.lastKey
      if (isSlow && !isWhole && last !== '') return 'after' in position ? position.after : last
    }
  }

  #upTo(page: Page, upTo: string | undefined): Page {
    if (upTo === undefined) return page
    const limit = upTo.slice(this.#options.base.length)
    const end = page.findIndex(({ key }) => compareKeys(key, limit) > 0)
    return end === -1 ? page : page.slice(0, end)
  }

  async #ask(prefix: string, position: Position, signal: AbortSignal, delimiter?: string): Promise<PoolAnswer> {
    if (this.#version === 1) return await this.#asked(this.#first(prefix, position, delimiter), signal)
    const answer = await this.#send(this.#second(prefix, position, delimiter), signal)
    if (answer.status === 200) return answer
    const failure = await this.#failure(answer)
    if (this.#version === 2 || !UNKNOWN.has(answer.status)) throw failure
    const other = await this.#send(this.#first(prefix, position, delimiter), signal)
    if (other.status !== 200) {
      await other.discard()
      throw failure
    }
    this.#version = 1
    return other
  }

  async #asked(query: readonly Parameter[], signal: AbortSignal): Promise<PoolAnswer> {
    const answer = await this.#send(query, signal)
    if (answer.status === 200) return answer
    throw await this.#failure(answer)
  }

  async #send(query: readonly Parameter[], signal: AbortSignal): Promise<PoolAnswer> {
    return await this.#options.connection.send({ method: 'GET', key: '', query, signal })
  }

  async #failure(answer: PoolAnswer): Promise<FlotillaError> {
    const { connection, bucket } = this.#options
    return await connection.failure(answer, bucket === '' ? 'a listing' : `bucket ${bucket}`)
  }

  #first(prefix: string, position: Position, delimiter?: string): readonly Parameter[] {
    const marker = 'after' in position ? position.after : position.token
    return parametersOf({ prefix, marker, delimiter })
  }

  #second(prefix: string, position: Position, delimiter?: string): readonly Parameter[] {
    const from = 'after' in position ? { 'start-after': position.after } : { 'continuation-token': position.token }
    return parametersOf({ 'list-type': '2', prefix, delimiter, ...from })
  }

  /** Where the page after one begins; undefined where it was the last. */
  #after(end: PageEnd, position: Position, enters: ListScope['enters']): Position | undefined {
    const { isTruncated, token, marker, keyCount, lastKey } = end
    if (!isTruncated && (token === undefined || this.#version === 1)) return undefined
    const { base } = this.#options
    const folder = enters === undefined ? undefined : refusedFolder(lastKey.slice(base.length), enters)
    if (folder !== undefined) return { after: `${base}${folder}${LAST}` }
    if (this.#version !== 1 && token !== undefined) {
      this.#version = 2
      if ('token' in position && position.token === token) throw bad('it repeats a page')
      return { token }
    }
    if (keyCount !== undefined) throw bad('there is more of it, but not where')
    this.#version = 1
    const after = marker ?? lastKey
    if (after === '' || ('after' in position && position.after === after)) throw bad('it repeats a page')
    return { after }
  }
}

/** Statuses of services that do not know the second version. */
const UNKNOWN: ReadonlySet<number> = new Set([400, 405, 501])

function parametersOf(values: Readonly<Record<string, string | undefined>>): readonly Parameter[] {
  const given = { ...values, 'encoding-type': 'url', 'max-keys': '1000' }
  return Object.entries(given).flatMap(([name, value]): Parameter[] =>
    value === undefined || (value === '' && name !== 'prefix') ? [] : [[name, value]],
  )
}

/** The outermost folder of a key that is not to be entered. */
function refusedFolder(key: string, enters: (folder: string) => boolean): string | undefined {
  for (let slash = key.indexOf('/'); slash !== -1; slash = key.indexOf('/', slash + 1)) {
    const folder = key.slice(0, slash + 1)
    if (!enters(folder)) return folder
  }
  return undefined
}

/** In order, without those that another one covers. */
function disjoint(prefixes: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (const prefix of prefixes.toSorted(compareKeys)) {
    const last = kept.at(-1)
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
  }
  return kept
}
