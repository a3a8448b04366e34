import { type ErrorCode, FlotillaError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import { clean } from './clean.ts'
import { type PoolAnswer, readAnswer } from './http-pool.ts'
import type { PourHead } from './pour-connection.ts'
import type { WholeAnswer } from './http-whole.ts'

/** Part of a file, as it was asked for. */
export interface Part {
  readonly entry: FileEntry
  readonly start: number
  /** Exclusive, at most the size. */
  readonly end: number
}

/** The headers that ask for a part of exactly the file that was listed. */
export function partHeaders({ entry, start, end }: Part): Record<string, string> {
  return {
    ...(entry.etag !== '' && { 'if-match': `"${entry.etag}"` }),
    ...((start > 0 || end < entry.size) && { range: `bytes=${start}-${end - 1}` }),
  }
}

/** A part without bytes of a file that has some: there is nothing to ask for. */
export function isNothing({ entry, start, end }: Part): boolean {
  return start >= end && entry.size > 0
}

export async function* nothing(): AsyncGenerator<Uint8Array, void> {}

/**
 * The bytes of an answer to `partHeaders`: exactly those of the part, or it rejects: with `NOT_FOUND`, with `CHANGED` where the answer
 * tells of another file than the one that was listed, with `UNREACHABLE` where it breaks off, or as `statusError`.
 */
export async function partOf(answer: PoolAnswer, part: Part, name: string): Promise<AsyncIterable<Uint8Array>> {
  const { status } = answer
  if (status !== 200 && status !== 206) throw await failureOf(answer, part.entry.key, name)
  const failure = mismatch(answer, part, name)
  if (failure === undefined) return exactly(answer, part, name)
  await answer.discard()
  throw failure
}

/** Whether the answer with that head is exactly the part; where it is not, `partOf` an answer says what is wrong. */
export function isPart(head: PourHead, part: Part, name: string): boolean {
  const isWhole = part.start === 0 && part.end === part.entry.size
  const isStatus = head.status === 206 || (head.status === 200 && isWhole)
  return (
    isStatus &&
    mismatch(head, part, name) === undefined &&
    Number(head.header('content-length')) === part.end - part.start
  )
}

/** The same for an answer that has arrived as a whole, to a request for a whole file. */
export async function wholeOf(answer: WholeAnswer, entry: FileEntry, name: string): Promise<Uint8Array> {
  const { status, bytes } = answer
  const part = { entry, start: 0, end: entry.size }
  if (status !== 200 && status !== 206) throw await failureOf(answer, entry.key, name)
  const failure = mismatch(answer, part, name)
  if (failure !== undefined) throw failure
  if (bytes.byteLength === entry.size) return bytes
  if (bytes.byteLength > entry.size) throw changed(entry.key, name)
  throw new FlotillaError('UNREACHABLE', `${name} broke off its answer to ${entry.key}`)
}

/**
 * What an answer without success means: by its status, and in the words of the other side where it has some. `what`: a key, or the listing of
 * something. Reads the body.
 */
export async function failureOf(answer: PoolAnswer, what: string, name: string): Promise<FlotillaError> {
  const { status } = answer
  const reason = reasonIn(await bodyOf(answer))
  const code = CODES[status] ?? (status >= 400 && status < 500 ? 'BAD_REQUEST' : 'UNREACHABLE')
  if (code === 'NOT_FOUND') return new FlotillaError(code, `${name} has no ${what}`)
  if (code === 'CHANGED') return changed(what, name)
  const location = status >= 300 && status < 400 ? answer.header('location') : undefined
  return new FlotillaError(code, `${name} answers ${status}${reason} to ${what}`, {
    hint: location === undefined ? HINTS[code] : `It sends elsewhere, which is not followed: ${clean(location)}`,
    retryAfterMs: retryAfterMs(answer.header('retry-after')),
  })
}

/** Seconds, or a date. */
function retryAfterMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{1,6}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

async function bodyOf(answer: PoolAnswer): Promise<string> {
  try {
    return (await readAnswer(answer, ERROR_BYTES)).toString('utf8')
  } catch {
    // The status says enough.
    return ''
  }
}

/** The message of an error of Flotilla, of Open-Meteo or of S3. */
function reasonIn(text: string): string {
  const [, found = ''] =
    /"(?:message|reason)":"([^"]*)"|<Message>([^<]*)</.exec(text)?.filter((group) => group !== undefined) ?? []
  return found === '' ? '' : ` (${clean(found.slice(0, REASON_CHARS))})`
}

/** The value of an ETag header, or of a listing, without quotes and the mark of weak ones. */
export function plainEtag(text: string | undefined): string {
  return (text ?? '').replace(/^W\//, '').replaceAll('"', '')
}

const ERROR_BYTES = 64 * 1024
const REASON_CHARS = 200

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  410: 'NOT_FOUND',
  412: 'CHANGED',
  416: 'CHANGED',
  429: 'RATE_LIMITED',
}

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  UNAUTHENTICATED: 'Check the key.',
  FORBIDDEN: 'Check the key, and what it may read.',
}

export function changed(key: string, name: string): FlotillaError {
  return new FlotillaError('CHANGED', `${key} of ${name} is no longer what was listed`)
}

/** Why an answer is not of this very file. */
function mismatch(answer: PourHead, part: Part, name: string): FlotillaError | undefined {
  const { entry } = part
  const etag = plainEtag(answer.header('etag'))
  if (etag !== '' && entry.etag !== '')
    return etag === entry.etag ? wrongLength(answer, part, name) : changed(entry.key, name)
  const seconds = Math.floor(Date.parse(answer.header('last-modified') ?? '') / 1000)
  const isOther = !Number.isNaN(seconds) && seconds !== Math.floor(entry.modifiedMs / 1000)
  return isOther ? changed(entry.key, name) : wrongLength(answer, part, name)
}

function wrongLength(answer: PourHead, { entry, start, end }: Part, name: string): FlotillaError | undefined {
  if (answer.status === 200) {
    const length = answer.header('content-length')
    return length !== undefined && Number(length) !== entry.size ? changed(entry.key, name) : undefined
  }
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.header('content-range') ?? '') ?? []
  if (total !== undefined && total !== '*' && Number(total) !== entry.size) return changed(entry.key, name)
  if (Number(first) === start && Number(last) === end - 1) return undefined
  return new FlotillaError('UNREACHABLE', `${name} answers with another part of ${entry.key} than was asked for`)
}

async function* exactly(
  answer: PoolAnswer,
  { entry, start, end }: Part,
  name: string,
): AsyncGenerator<Uint8Array, void> {
  // Who ignores that a part is asked for sends everything.
  let skip = answer.status === 200 ? start : 0
  let left = end - start
  for await (const chunk of answer.body) {
    const wanted = chunk.subarray(skip, skip + left)
    skip = Math.max(0, skip - chunk.byteLength)
    left -= wanted.byteLength
    if (wanted.byteLength > 0) yield wanted
    // Otherwise read to its end, so that the connection can be used again.
    else if (left === 0) break
  }
  if (left > 0) throw new FlotillaError('UNREACHABLE', `${name} broke off its answer to ${entry.key}`)
}
