import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { FlotillaError } from '../core/errors.ts'
import { STORE_LIMITS } from '../core/store.ts'
import { parseDuration } from '../lib/duration.ts'

const WHO = /^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$/
export const WHO_FORM = {
  test: (text: string) => WHO.test(text),
  words: '1 to 128 of A-Z a-z 0-9 . _ : @ + -, starting with a letter or digit',
} as const

const isTime = (text: string): boolean => timeMs(text) !== undefined
const TIME_FORM = { test: isTime, words: 'seconds, or a time such as 500ms, 30s or 5m' } as const
export const TIMEOUT = {
  timeout: {
    type: 'value',
    placeholder: 'TIME',
    summary: 'how long to wait at most; for ever when left out',
    form: TIME_FORM,
  },
} as const

/** Of commands that hold something while another command runs. */
export const HELD = {
  id: {
    type: 'value',
    placeholder: 'WHO',
    summary: 'what this contender is called; the host, the process and something random when left out',
    form: WHO_FORM,
  },
  ttl: {
    type: 'value',
    placeholder: 'TIME',
    summary: 'how long it stays taken after its holder died or was cut off',
    fallback: '10s',
    form: TIME_FORM,
  },
  grace: {
    type: 'value',
    placeholder: 'TIME',
    summary:
      'how long the command may take to end when it is lost, before it is killed; a quarter of --ttl when left out',
    form: TIME_FORM,
  },
  ...TIMEOUT,
} as const

/** Seconds, with or without a unit. */
export function timeMs(text: string): number | undefined {
  return /^\d{1,7}(?:\.\d{1,3})?$/.test(text) ? Number(text) * 1000 : parseDuration(text)
}

export function timeoutMs({ timeout }: { readonly timeout: string | undefined }): number | undefined {
  return timeout === undefined ? undefined : timeMs(timeout)
}

/** Throws `USAGE`. */
export function leaseTimes({ ttl, grace }: { readonly ttl: string; readonly grace: string | undefined }): {
  readonly ttlMs: number
  readonly graceMs: number
} {
  const { leaseMinMs, leaseMaxMs } = STORE_LIMITS
  const ttlMs = timeMs(ttl) ?? 0
  if (ttlMs < leaseMinMs || ttlMs > leaseMaxMs) throw new FlotillaError('USAGE', '--ttl takes 1 s to 1 h')
  const graceMs = grace === undefined ? ttlMs / 4 : (timeMs(grace) ?? 0)
  if (graceMs > ttlMs / 2) {
    throw new FlotillaError('USAGE', '--grace can be half of --ttl at most', {
      hint: 'The command is to be gone before anybody else holds: a longer --ttl leaves more time for it.',
    })
  }
  return { ttlMs, graceMs }
}

/** Another one at every run: two on one host are two. */
export function someone(): string {
  return `${hostname().replaceAll(/[^A-Za-z0-9._-]/g, '-')}-${process.pid}-${randomBytes(3).toString('hex')}`
}

/** Throws `USAGE`. */
export function countOf(text: string, flag: string, max: number): number {
  const count = Number(text)
  if (/^\d{1,6}$/.test(text) && count >= 1 && count <= max) return count
  throw new FlotillaError('USAGE', `--${flag} takes a number from 1 to ${max}`)
}
