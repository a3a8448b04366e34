import type { StrategyRequest } from '../core/api-rollout.ts'
import { FlotillaError } from '../core/errors.ts'
import type { FreezeWindow, Sample, Strategy } from '../core/rollout.ts'
import { parseDuration } from '../lib/duration.ts'

const time = (summary: string) => ({ type: 'value', placeholder: 'TIME', summary }) as const
const number = (summary: string) => ({ type: 'value', placeholder: 'N', summary }) as const

/** Each setting of a strategy as an option. */
export const SETTINGS = {
  canary: number('how many nodes go first'),
  wave: number('how many nodes go together after that'),
  maxUnavailable: number('on how many nodes a dataset may be out of service at the same time'),
  soak: time('how long a wave must stay proved before the next begins'),
  gateTimeout: time('how long a node may take from its change to its proof'),
  drain: {
    type: 'value',
    placeholder: 'WHEN',
    summary: 'whether the proxies send a node no requests for what is being changed',
    choices: ['auto', 'always', 'never'],
  },
  drainTime: time('how long requests that are under way have, once every proxy has taken over a drain'),
  failedMax: number('how many datasets may have failed to load on a node that counts as good'),
  freeze: {
    type: 'list',
    placeholder: 'WINDOW',
    summary: 'when no wave begins, in UTC: "mon-fri 08:00-17:00"; none for never',
  },
  sample: {
    type: 'list',
    placeholder: 'REQUEST',
    summary: 'what a node asks of its own ERDDAP: "PATH [STATUS [TEXT]]"; none for nothing',
  },
} as const

/** Options of a change that can go out in waves. Each setting alone asks for waves. */
export const STRATEGY = {
  rolling: { type: 'flag', summary: 'one node after the other, each proved before the next' },
  allAtOnce: { type: 'flag', summary: 'to every node at once, whatever the policy of the tree says' },
  ...SETTINGS,
} as const

type Given = {
  readonly [K in keyof typeof SETTINGS]: K extends 'freeze' | 'sample' ? readonly string[] : string | undefined
}

/** What the options ask for; undefined leaves it to the policy of the tree. Throws `USAGE`. */
export function strategyOf(
  options: Given & { readonly rolling: boolean; readonly allAtOnce: boolean },
): StrategyRequest | undefined {
  const settings = settingsOf(options)
  const isRolling = options.rolling || Object.keys(settings).length > 0
  if (isRolling && options.allAtOnce) {
    throw new FlotillaError('USAGE', '--all-at-once excludes --rolling and its settings')
  }
  return options.allAtOnce ? 'all-at-once' : isRolling ? settings : undefined
}

/** The settings that were given. Throws `USAGE`. */
export function settingsOf(given: Given): Partial<Strategy> {
  const { canary, wave, maxUnavailable, soak, gateTimeout, drain, drainTime, failedMax, freeze, sample } = given
  return {
    ...(canary !== undefined && { canary: countOf('canary', canary, 1) }),
    ...(wave !== undefined && { wave: countOf('wave', wave, 1) }),
    ...(maxUnavailable !== undefined && { maxUnavailable: countOf('max-unavailable', maxUnavailable, 1) }),
    ...(soak !== undefined && { soakMs: msOf('soak', soak) }),
    ...(gateTimeout !== undefined && { gateTimeoutMs: msOf('gate-timeout', gateTimeout) }),
    ...(drain !== undefined && { drain: drain as Strategy['drain'] }),
    ...(drainTime !== undefined && { drainMs: msOf('drain-time', drainTime) }),
    ...(failedMax !== undefined && { failedMax: countOf('failed-max', failedMax, 0) }),
    ...(freeze.length > 0 && { freeze: listOf(freeze, parseFreeze) }),
    ...(sample.length > 0 && { samples: listOf(sample, parseSample) }),
  }
}

function countOf(option: string, text: string, least: number): number {
  if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text)
  throw new FlotillaError('USAGE', `--${option} takes a number from ${least} on, not "${text}"`)
}

function msOf(option: string, text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new FlotillaError('USAGE', `--${option} takes a time such as 30s or 10m, not "${text}"`)
}

function listOf<T>(texts: readonly string[], parse: (text: string) => T): readonly T[] {
  return texts.length === 1 && texts[0] === 'none' ? [] : texts.map(parse)
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const WINDOW = /^(?:([a-z,-]+) +)?(\d\d:\d\d)-(\d\d:\d\d)$/

/** `mon-fri 08:00-17:00`, `sat,sun 00:00-23:59`, `22:00-06:00` for every day. */
export function parseFreeze(text: string): FreezeWindow {
  const [, days, from, to] = WINDOW.exec(text.trim().toLowerCase()) ?? []
  const numbers = days === undefined ? DAYS.map((_, day) => day) : daysOf(days)
  if (from !== undefined && to !== undefined && numbers !== undefined && isTime(from) && isTime(to)) {
    return { days: numbers, from, to }
  }
  throw new FlotillaError('USAGE', `--freeze takes days and times in UTC such as "mon-fri 08:00-17:00", not "${text}"`)
}

function isTime(text: string): boolean {
  return /^(?:[01]\d|2[0-3]):[0-5]\d$/.test(text)
}

/** Undefined unless each part is a day, or two of them with a dash between. */
function daysOf(text: string): readonly number[] | undefined {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [first, last] = part.split('-').map((name) => (DAYS as readonly string[]).indexOf(name))
    if (first === undefined || first < 0 || (last ?? 0) < 0 || part.split('-').length > 2) return undefined
    const count = last === undefined ? 1 : ((last - first + 7) % 7) + 1
    for (let step = 0; step < count; step++) days.add((first + step) % 7)
  }
  return [...days].toSorted((a, b) => a - b)
}

/** Days in a row get a dash, where there are more than two. */
export function freezeText({ days, from, to }: FreezeWindow): string {
  const names = days.map((day) => DAYS[day] ?? '?')
  const inRow = days.every((day, index) => index === 0 || day === (days[index - 1] ?? 0) + 1)
  const text =
    days.length === 7 ? 'every day' : inRow && days.length > 2 ? `${names[0]}-${names.at(-1)}` : names.join(',')
  return `${text} ${from}-${to} UTC`
}

const SAMPLE_TIMEOUT_MS = 30_000
const SAMPLE = /^(\/\S*)(?: +(\d{3})(?: +(.+))?)?$/

export function parseSample(text: string): Sample {
  const [, path, status, contains] = SAMPLE.exec(text.trim()) ?? []
  if (path === undefined) {
    throw new FlotillaError('USAGE', `--sample takes "PATH [STATUS [TEXT]]", not "${text}"`, {
      hint: 'For example "/tabledap/coastBuoys.csv?time&time=max(time) 200 time". The path is below the base address of ERDDAP.',
    })
  }
  const base = { path, status: Number(status ?? 200), timeoutMs: SAMPLE_TIMEOUT_MS }
  return contains === undefined ? base : { ...base, contains }
}
