import type { Exchange } from './exchange.ts'

type Headers = Pick<Exchange, 'header'>

/** What conditions are about. */
export interface Validators {
  /** Without quotes. */
  readonly etag: string
  readonly modifiedMs: number
}

/** The headers of conditions of a read, or those of the source of a copy. */
export interface ConditionNames {
  readonly match: string
  readonly noneMatch: string
  readonly modifiedSince: string
  readonly unmodifiedSince: string
}

export const OF_READ: ConditionNames = {
  match: 'if-match',
  noneMatch: 'if-none-match',
  modifiedSince: 'if-modified-since',
  unmodifiedSince: 'if-unmodified-since',
}

export const OF_COPY: ConditionNames = {
  match: 'x-amz-copy-source-if-match',
  noneMatch: 'x-amz-copy-source-if-none-match',
  modifiedSince: 'x-amz-copy-source-if-modified-since',
  unmodifiedSince: 'x-amz-copy-source-if-unmodified-since',
}

/** In the order of RFC 9110, section 13.2.2. */
export function evaluate(
  headers: Headers,
  names: ConditionNames,
  file: Validators,
): 'holds' | 'not-modified' | 'failed' {
  const match = headers.header(names.match)
  if (match !== undefined) {
    if (!matches(parseETags(match), file.etag, true)) return 'failed'
  } else {
    const unmodifiedSince = dateOf(headers.header(names.unmodifiedSince))
    if (unmodifiedSince !== undefined && seconds(file) > unmodifiedSince) return 'failed'
  }
  const noneMatch = headers.header(names.noneMatch)
  if (noneMatch !== undefined) return matches(parseETags(noneMatch), file.etag, false) ? 'not-modified' : 'holds'
  const modifiedSince = dateOf(headers.header(names.modifiedSince))
  return modifiedSince !== undefined && seconds(file) <= modifiedSince ? 'not-modified' : 'holds'
}

/** Whether a range is wanted of this very file. Absent, it is. */
export function holdsIfRange(value: string | undefined, file: Validators): boolean {
  if (value === undefined) return true
  if (value.startsWith('"')) return value === `"${file.etag}"`
  return dateOf(value) === seconds(file)
}

/** Without quotes, `*` for any; those that are weak keep their `W/`. Some clients of S3 send them without quotes. */
export function parseETags(value: string): readonly string[] {
  const etags: string[] = []
  for (const [, weak = '', quoted, bare] of value.matchAll(/(W\/)?(?:"([^"]*)"|([^\s,"]+))/g)) {
    etags.push(weak + (quoted ?? bare ?? ''))
  }
  return etags
}

/** The ETags of a write's conditions. */
export function writeConditions(headers: Headers): {
  readonly ifMatch?: readonly string[] | undefined
  readonly ifNoneMatch?: readonly string[] | undefined
} {
  const match = headers.header('if-match')
  const noneMatch = headers.header('if-none-match')
  return {
    ifMatch: match === undefined ? undefined : parseETags(match),
    ifNoneMatch: noneMatch === undefined ? undefined : parseETags(noneMatch),
  }
}

function matches(etags: readonly string[], etag: string, isStrong: boolean): boolean {
  return etags.some((one) => one === '*' || one === etag || (!isStrong && one === `W/${etag}`))
}

function seconds({ modifiedMs }: Validators): number {
  return Math.floor(modifiedMs / 1000)
}

/** In seconds; undefined for what is no date, which is to be ignored. */
function dateOf(value: string | undefined): number | undefined {
  const ms = value === undefined ? Number.NaN : Date.parse(value)
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}
