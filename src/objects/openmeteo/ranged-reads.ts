import { FlotillaError, isError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import { changed, failureOf, type Part, partHeaders, partOf, plainEtag } from '../../lib/file-answers.ts'
import type { PoolAnswer } from '../../lib/http-pool.ts'

type Send = (
  method: 'GET' | 'HEAD',
  key: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
) => Promise<PoolAnswer>

/** facts: Open-Meteo's client from 1.5.3 on asks for ranges of this length, so its servers and those in front are used to them. */
const RANGE_BYTES = 8 * 1024 * 1024
/** Read by the other side at once: nothing can have changed within it. */
const INSTANT_BYTES = 64 * 1024
const SEEN_MAX = 1000
/**
 * Servers of Open-Meteo format times of listings in their own time zone, but call it UTC: then they are off by whole quarters of an
 * hour. Fractions of seconds are rounded here and cut there.
 */
const ZONE_MS = 15 * 60_000
const ZONES_MS_MAX = 14 * 3_600_000
const ROUNDING_MS = 1999

/**
 * Reads from servers that neither list ETags nor compare them: a file that is replaced between two ranges would come as a mix of both. Every
 * answer has to be of the file that the first one was of, also when its parts are asked for one by one.
 */
export class RangedReads {
  readonly #name: string
  readonly #send: Send
  /** How the server described what was listed, the latest last. */
  readonly #seen = new Map<string, FileEntry>()

  constructor(name: string, send: Send) {
    this.#name = name
    this.#send = send
  }

  async open({ entry, start, end }: Part, signal: AbortSignal | undefined): Promise<AsyncIterable<Uint8Array>> {
    const isOne = start === 0 && end === entry.size && end <= RANGE_BYTES
    const seen = this.#seen.get(idOf(entry)) ?? (isOne ? undefined : await this.#look(entry, signal))
    const firstEnd = Math.min(start + RANGE_BYTES, end)
    const first = await this.#part({ entry: seen ?? entry, start, end: firstEnd }, seen === undefined, signal)
    return this.#read(first, { entry: first.seen, start: firstEnd, end }, end - start, signal)
  }

  async *#read(
    first: Opened,
    rest: Part,
    bytes: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void> {
    yield* first.bytes
    for (let start = rest.start; start < rest.end; start += RANGE_BYTES) {
      const end = Math.min(start + RANGE_BYTES, rest.end)
      yield* (await this.#part({ entry: rest.entry, start, end }, false, signal)).bytes
    }
    if (bytes <= INSTANT_BYTES) return
    const last = await this.#head(rest.entry, signal)
    if (last.etag !== rest.entry.etag || last.modifiedMs !== rest.entry.modifiedMs) throw this.#changed(rest.entry)
  }

  async #part(part: Part, isFirst: boolean, signal: AbortSignal | undefined): Promise<Opened> {
    const { entry } = part
    const answer = await this.#send('GET', entry.key, partHeaders(part), signal)
    await this.#refuse(answer, part)
    const seen = isFirst ? describedBy(answer, entry) : entry
    if (seen === undefined) {
      await answer.discard()
      throw this.#changed(entry)
    }
    try {
      return { seen, bytes: await partOf(answer, { ...part, entry: seen }, this.#name) }
    } catch (error) {
      throw isError(error, 'CHANGED') ? this.#changed(entry) : error
    }
  }

  /** How the server describes what was listed, now and for all further parts of it. */
  async #look(entry: FileEntry, signal: AbortSignal | undefined): Promise<FileEntry> {
    const seen = await this.#head(entry, signal)
    this.#seen.set(idOf(entry), seen)
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest)
    return seen
  }

  async #head(entry: FileEntry, signal: AbortSignal | undefined): Promise<FileEntry> {
    const answer = await this.#send('HEAD', entry.key, {}, signal)
    await this.#refuse(answer, { entry, start: 0 })
    const seen = describedBy(answer, entry)
    await answer.discard()
    if (seen === undefined) throw this.#changed(entry)
    return seen
  }

  async #refuse(answer: PoolAnswer, { entry, start }: Omit<Part, 'end'>): Promise<void> {
    if (answer.status === 200 || answer.status === 206) return
    const { key } = entry
    const failure = await failureOf(answer, key, this.#name)
    if (answer.status === 500) {
      throw new FlotillaError('NOT_FOUND', `${this.#name} answers 500 to ${key}: it may be gone`, {
        hint: 'Servers of Open-Meteo answer so for a file that is not there. List again.',
      })
    }
    // They answer 400 to a range beyond the end.
    const isBeyond = start > 0 && isError(failure, 'BAD_REQUEST')
    throw isBeyond || isError(failure, 'CHANGED') ? this.#changed(entry) : failure
  }

  /** Whoever begins anew begins with what is there then. */
  #changed({ key }: FileEntry): FlotillaError {
    for (const id of this.#seen.keys()) if (id.startsWith(`${key}\0`)) this.#seen.delete(id)
    return changed(key, this.#name)
  }
}

interface Opened {
  readonly seen: FileEntry
  readonly bytes: AsyncIterable<Uint8Array>
}

function idOf({ key, size, modifiedMs, etag }: FileEntry): string {
  return `${key}\0${size}\0${modifiedMs}\0${etag}`
}

/** The entry, with ETag and time as in the headers of an answer; undefined where they are of another file. */
function describedBy(answer: PoolAnswer, entry: FileEntry): FileEntry | undefined {
  const total = totalOf(answer)
  if (total !== undefined && total !== entry.size) return undefined
  const etag = plainEtag(answer.header('etag'))
  const time = Date.parse(answer.header('last-modified') ?? '')
  const modifiedMs = Number.isNaN(time) ? entry.modifiedMs : time
  if (etag !== '' && entry.etag !== '') return etag === entry.etag ? { ...entry, modifiedMs } : undefined
  const offMs = Math.abs(modifiedMs - entry.modifiedMs)
  const isNear =
    Math.min(offMs % ZONE_MS, ZONE_MS - (offMs % ZONE_MS)) <= ROUNDING_MS && offMs <= ZONES_MS_MAX + ROUNDING_MS
  return isNear ? { ...entry, etag, modifiedMs } : undefined
}

function totalOf(answer: PoolAnswer): number | undefined {
  const text = answer.status === 206 ? answer.header('content-range')?.split('/')[1] : answer.header('content-length')
  return text === undefined || text === '*' ? undefined : Number(text)
}
