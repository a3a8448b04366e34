import { pino } from 'pino'
import { FlotillaError } from '../core/errors.ts'
import type { LogFields, Logger } from '../core/log.ts'
import { clean } from './clean.ts'
import { Secret } from './secret.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

interface LogOptions {
  readonly level: LogLevel
  /** Which service speaks: `hub`, `agent erd1`. */
  readonly name: string
  /** Short lines for a person instead of JSON lines for a collector. */
  readonly human: boolean
  /** Takes whole lines, with their line feed. */
  readonly write: (line: string) => void
}

/** A logger that never writes a secret: neither a `Secret`, nor a field whose name says that it holds one. */
export function createLogger(options: LogOptions): Logger {
  const stream = { write: (line: string) => options.write(options.human ? humanLine(line) : line) }
  const base = { service: options.name }
  const log = pino(
    { level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level } },
    stream,
  )
  return {
    debug: (message, fields) => log.isLevelEnabled('debug') && log.debug(redacted(fields), message),
    info: (message, fields) => log.info(redacted(fields), message),
    warn: (message, fields) => log.warn(redacted(fields), message),
    error: (message, fields) => log.error(redacted(fields), message),
  }
}

const level = (label: string): object => ({ level: label })

const SECRET_NAME = /token|secret|password|passwd|authorization|cookie|credential|joincode|apikey|privatekey/i
/** A token of a hub, wherever it stands. */
const TOKEN = /flt_[0-9a-f]{16}_[\w-]{43}/g
/** User and password in an address. */
const USER_INFO = /(:\/\/)[^\s/?#]*@/g
const DEPTH_MAX = 6

function redacted(fields: LogFields = {}): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, safe(name, value, 0)]))
}

function safe(name: string, value: unknown, depth: number): unknown {
  if (value instanceof Secret) return '[secret]'
  if (SECRET_NAME.test(name.replaceAll(/[-_]/g, '')) && typeof value === 'string') return '[secret]'
  if (value instanceof Error) return safe(name, errorFields(value), depth)
  if (typeof value === 'string') return value.replaceAll(TOKEN, '[secret]').replaceAll(USER_INFO, '$1[secret]@')
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  if (depth >= DEPTH_MAX) return '[deep]'
  if (Array.isArray(value)) return value.map((item) => safe(name, item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, safe(key, item, depth + 1)]))
}

/** An expected error needs no stack; an unexpected one is a fault to be found. */
function errorFields(error: Error): object {
  const cause = error.cause instanceof Error ? { cause: errorFields(error.cause) } : {}
  if (!(error instanceof FlotillaError)) return { message: error.message, stack: error.stack, ...cause }
  const { node, file, line, column, hint } = error.details
  return { code: error.code, message: error.message, node, file, line, column, hint, ...cause }
}

/** `09:31:02 warn  hub  cannot reach the store  file=store.db error="..."`. */
function humanLine(json: string): string {
  const { time, level, service, msg, ...fields } = JSON.parse(json) as Record<string, unknown>
  const at = new Date(String(time)).toTimeString().slice(0, 8)
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`)
  const text = [`${at} ${String(level).padEnd(5)} ${String(service)}: ${String(msg)}`, ...rest].join('  ')
  return `${clean(text.replaceAll('\n', ' '))}\n`
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return /\s/.test(value) || value === '' ? JSON.stringify(value) : value
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(value.message)
  return JSON.stringify(value)
}
