import { isIP } from 'node:net'
import { z } from 'zod'
import { parseBandwidth } from '../core/sync/bandwidth.ts'
import { parseDuration } from '../lib/duration.ts'

/** Kinds of values that settings share. Each says in its error what it takes. */

/** `30s`, `15m`, `7d`; as a number of milliseconds once read. */
export function duration(limits: { readonly min: string; readonly max: string }) {
  const [minMs, maxMs] = [parseDuration(limits.min) ?? 0, parseDuration(limits.max) ?? 0]
  const takes = `a duration from ${limits.min} to ${limits.max}, such as 30s, 15m or 2h`
  return z
    .string({ error: `takes ${takes}` })
    .refine((text) => inRange(parseDuration(text), minMs, maxMs), { error: `takes ${takes}` })
    .transform((text) => parseDuration(text) ?? 0)
}

function inRange(value: number | undefined, min: number, max: number): boolean {
  return value !== undefined && value >= min && value <= max
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:8470`, `[::1]:8470`; port 0 takes any that is free. */
export function address() {
  const takes = 'takes HOST:PORT, such as 127.0.0.1:8470'
  return z
    .string({ error: takes })
    .refine((text) => parseAddress(text) !== undefined, { error: takes })
    .transform((text) => parseAddress(text) ?? { host: '', port: 0 })
}

export function parseAddress(text: string): Address | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  const host = bracketed ?? plain
  if (host === undefined || port > 65_535) return undefined
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined
  return { host, port }
}

/** Of a hub or a peer, without a trailing slash. */
export function baseUrl() {
  const takes = 'takes a URL such as http://127.0.0.1:8470'
  return z
    .string({ error: takes })
    .refine(isBaseUrl, { error: takes })
    .transform((text) => text.replace(/\/+$/, ''))
}

/** Of one hub, or of several over one store, with commas between. */
export function baseUrls() {
  const takes = 'takes a URL such as http://127.0.0.1:8470, or several with commas between'
  return z
    .string({ error: takes })
    .refine((text) => text.split(',').every((each) => isBaseUrl(each.trim())), { error: takes })
    .transform((text) =>
      text
        .split(',')
        .map((each) => each.trim().replace(/\/+$/, ''))
        .join(','),
    )
}

function isBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return /^https?:$/.test(protocol) && username + password + search + hash === ''
}

/** A file or folder. Relative ones start at the configuration file, or without one at the working folder. */
export function path() {
  return z.string({ error: 'takes a path' }).min(1, { error: 'takes a path' })
}

/** Bytes a second, now or by the time of day. */
export function bandwidth() {
  const takes = 'takes bytes a second, as 10M, or a timetable as "08:00,10M 18:00,off"'
  return z.string({ error: takes }).refine(isBandwidth, { error: takes })
}

function isBandwidth(text: string): boolean {
  try {
    parseBandwidth(text)
    return true
  } catch {
    return false
  }
}
