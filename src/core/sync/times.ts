const DAY_MS = 86_400_000

/** From `startMs` up to, without, `endMs`. */
export interface Times {
  readonly startMs: number
  readonly endMs: number
}

export interface TimeSpan extends Times {
  /** What stays the same while time passes: `7 days`. */
  readonly name: string
}

export function pastDays(days: number, nowMs: number): TimeSpan {
  return { name: `${days} days`, startMs: nowMs - days * DAY_MS, endMs: Number.POSITIVE_INFINITY }
}

/** Whole years, both included. */
export function years(first: number, last: number): TimeSpan {
  return { name: `years ${first}-${last}`, ...yearTimes(first, last) }
}

export function isWithin(times: Times, span: Times): boolean {
  return times.startMs < span.endMs && times.endMs > span.startMs
}

const RUN = /(?:^|\/)(\d{4})\/(\d{2})\/(\d{2})(?:\/(\d{2})(\d{2})Z)?\//
const MOMENT = /(?:^|[/_-])(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):?(\d{2}))?(?=\D|$)/

/**
 * Which times a path tells that it is of: `2026/08/29/1200Z/` as folders of runs are called, a date in a name such as `2026-08-29T1200.om`, or
 * `year_2020.om`.
 */
export function timeOfPath(key: string): Times | undefined {
  const [found, year, month, day, hour, minute] = RUN.exec(key) ?? MOMENT.exec(key) ?? []
  if (found === undefined) return yearOf(key)
  const startMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour ?? 0), Number(minute ?? 0))
  return { startMs, endMs: startMs + (hour === undefined ? DAY_MS : 1) }
}

/** `year_2020.om`. */
export function yearOf(key: string): Times | undefined {
  const year = /(?:^|\/)year_(\d{4})\.[^/]*$/.exec(key)?.[1]
  return year === undefined ? undefined : yearTimes(Number(year), Number(year))
}

/** The number of `chunk_123.om`, in any folder. */
export function chunkOf(key: string): number | undefined {
  const number = /(?:^|\/)chunk_(-?\d{1,9})\.[^/]*$/.exec(key)?.[1]
  return number === undefined ? undefined : Number(number)
}

function yearTimes(first: number, last: number): Times {
  return { startMs: Date.UTC(first, 0, 1), endMs: Date.UTC(last + 1, 0, 1) }
}
