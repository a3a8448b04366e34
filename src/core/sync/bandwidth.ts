import { FlotillaError } from '../errors.ts'

interface Step {
  /** From this minute of the day on. */
  readonly minute: number
  /** Infinity: no limit. */
  readonly bytesPerSecond: number
}

/** How much may travel when. */
export interface Bandwidth {
  /** `minute`: of the day, local time. */
  at(minute: number): number
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/**
 * `10M`, `off`, or a timetable `08:00,10M 18:00,50M 23:00,off`: bytes a second, with k, M and G as powers of 1,024; a line holds until
 * the next one, the last over midnight. The form is rclone's. Throws `USAGE`.
 */
export function parseBandwidth(text: string): Bandwidth {
  const words = text.trim().split(/\s+/)
  const steps = words.map((word) => parseStep(text, word, words.length)).toSorted((a, b) => a.minute - b.minute)
  return {
    at: (minute) => {
      const step = steps.findLast((one) => one.minute <= minute) ?? steps.at(-1)
      return step?.bytesPerSecond ?? Number.POSITIVE_INFINITY
    },
  }
}

function parseStep(text: string, word: string, words: number): Step {
  const [found, hours, minutes, rate = ''] = /^(?:(\d{1,2}):(\d{2}),)?([^,]+)$/.exec(word) ?? []
  const minute = Number(hours ?? 0) * 60 + Number(minutes ?? 0)
  if (found === undefined || (hours === undefined && words > 1) || minute >= 24 * 60 || Number(minutes ?? 0) > 59) {
    throw bad(text)
  }
  return { minute, bytesPerSecond: parseRate(text, rate) }
}

function parseRate(text: string, rate: string): number {
  if (rate.toLowerCase() === 'off') return Number.POSITIVE_INFINITY
  const [, number, unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)([kmg]?)$/i.exec(rate) ?? []
  const bytes = Number(number) * (UNITS[unit.toLowerCase()] ?? Number.NaN)
  if (number === undefined || !(bytes >= 1)) throw bad(text)
  return bytes
}

function bad(text: string): FlotillaError {
  return new FlotillaError('USAGE', `"${text}" is no bandwidth`, {
    hint: 'Write bytes a second as 10M, or a timetable as "08:00,10M 18:00,50M 23:00,off".',
  })
}
