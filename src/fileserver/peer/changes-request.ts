import type { IncomingMessage } from 'node:http'
import { FlotillaError } from '../../core/errors.ts'
import { CURSOR_CHARS_MAX, WAIT_MS_MAX } from '../../core/files/peer-wire.ts'
import { sha256 } from '../../lib/hash.ts'
import { readBody } from '../../lib/http.ts'
import { parameter, type Parameter } from '../../lib/s3/target.ts'

export interface Asked {
  readonly since: string | undefined
  readonly prefixes: readonly string[]
  readonly waitMs: number
}

const BODY_BYTES_MAX = 4 * 1024 * 1024
const PREFIXES_MAX = 20_000

export async function askedOf(request: IncomingMessage, query: readonly Parameter[]): Promise<Asked> {
  const asked = request.method === 'POST' ? inBody(await readJson(request, BODY_BYTES_MAX)) : inQuery(query)
  const { since = '', prefixes, waitMs } = asked
  const isValid =
    since.length <= CURSOR_CHARS_MAX && prefixes.length <= PREFIXES_MAX && Number.isFinite(waitMs) && waitMs >= 0
  if (!isValid) throw new FlotillaError('BAD_REQUEST', 'changes takes "since", "prefix" and "wait" in milliseconds')
  return { since: asked.since, prefixes, waitMs: Math.min(waitMs, WAIT_MS_MAX) }
}

/** A body of JSON; rejects with `BAD_REQUEST` where it is none, with `TOO_LARGE` beyond `limitBytes`. */
export async function readJson(request: IncomingMessage, limitBytes: number): Promise<unknown> {
  const body = await readBody(request, limitBytes)
  try {
    return JSON.parse(body.toString('utf8')) as unknown
  } catch {
    throw new FlotillaError('BAD_REQUEST', 'the body is no JSON')
  }
}

function inQuery(query: readonly Parameter[]): Asked {
  const prefixes = query.flatMap(([name, value]) => (name === 'prefix' ? [value] : []))
  return { since: parameter(query, 'since'), prefixes, waitMs: Number(parameter(query, 'wait') ?? 0) }
}

function inBody(body: unknown): Asked {
  const { since, prefixes = [], wait = 0 } = (body ?? {}) as Record<string, unknown>
  const isValid =
    (since === undefined || typeof since === 'string') &&
    Array.isArray(prefixes) &&
    prefixes.every((prefix) => typeof prefix === 'string') &&
    typeof wait === 'number'
  if (!isValid) throw new FlotillaError('BAD_REQUEST', 'changes takes {"since", "prefixes", "wait"}')
  return { since, prefixes, waitMs: wait }
}

/** What is looked at for somebody. */
export interface Scope {
  /** None of them lies in another; none for everything. */
  readonly prefixes: readonly string[]
  /**
   * Ends the cursors of somebody who may not see everything: with other rights the cursor is not known any more, so what became visible
   * by them alone is told as well.
   */
  readonly mark: string
}

/** Rejects with `FORBIDDEN` where nothing is left. */
export function scopeOf(asked: readonly string[], allowed: readonly string[]): Scope {
  const wanted = asked.length === 0 ? [''] : asked
  const both = wanted.flatMap((prefix) =>
    allowed.flatMap((may) => (prefix.startsWith(may) ? [prefix] : may.startsWith(prefix) ? [may] : [])),
  )
  if (both.length === 0) throw new FlotillaError('FORBIDDEN', 'the credentials do not cover any of these prefixes')
  const mark = allowed.includes('') ? '' : `~${sha256(JSON.stringify(allowed.toSorted())).slice(0, 8)}`
  return { prefixes: both.includes('') ? [] : outermost(both), mark }
}

/** Undefined for a cursor that was given out under other rights. */
export function sinceOf(since: string | undefined, { mark }: Scope): string | undefined {
  if (since === undefined || mark === '') return since?.includes('~') === true ? undefined : since
  return since.endsWith(mark) ? since.slice(0, -mark.length) : undefined
}

function outermost(prefixes: readonly string[]): readonly string[] {
  const found: string[] = []
  for (const prefix of prefixes.toSorted()) {
    const last = found.at(-1)
    if (last === undefined || !prefix.startsWith(last)) found.push(prefix)
  }
  return found
}
