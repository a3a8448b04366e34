import { expect, test } from 'vitest'
import { FlotillaError } from '../core/errors.ts'
import { createLogger, type LogLevel } from './log.ts'
import { Secret } from './secret.ts'

function capture(options: { human?: boolean; level?: LogLevel } = {}) {
  const lines: string[] = []
  const write = (line: string): number => lines.push(line)
  const log = createLogger({ level: options.level ?? 'info', name: 'hub', human: options.human ?? false, write })
  return { log, lines, first: () => JSON.parse(lines[0] ?? '') as Record<string, unknown> }
}

test('writes one JSON object a line, with time, level and service', () => {
  const { log, lines, first } = capture()
  log.warn('the store is slow', { ms: 12 })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/\n$/)
  expect(first()).toMatchObject({ level: 'warn', service: 'hub', msg: 'the store is slow', ms: 12 })
  expect(new Date(String(first()['time'])).getTime()).toBeGreaterThan(0)
})

test('leaves out what is below the level', () => {
  const { log, lines } = capture({ level: 'warn' })
  log.debug('a')
  log.info('b')
  log.error('c')
  expect(lines).toHaveLength(1)
})

test.for([
  ['a Secret', { peer: new Secret('canary') }],
  ['a Secret deep inside', { a: { b: [{ c: new Secret('canary') }] } }],
  ['a field named token', { token: 'canary' }],
  ['a field named apiToken', { apiToken: 'canary' }],
  ['a header', { headers: { authorization: 'Bearer canary' } }],
  ['a list under a telling name', { join_codes: 'x', passwords: ['canary'] }],
  ['a token inside a text', { url: `http://h/?flt_0123456789abcdef_${'canary'.repeat(8).slice(0, 43)}` }],
  ['an address with a password', { url: 'amqps://user:canary@broker:5671/x' }],
  ['an address in an error', { error: new Error('no answer from amqp://user:canary@broker') }],
  [
    'a token in the cause of an error',
    { e: new Error('x', { cause: new Error(`flt_0123456789abcdef_${'canary'.repeat(8).slice(0, 43)}`) }) },
  ],
  ['a field with dashes', { 'x-api-key': 'canary', 'api-key': 'canary' }],
] as const)('never writes a secret: %s', ([, fields]) => {
  const { log, lines } = capture()
  log.info('m', fields)
  expect(lines.join('')).not.toContain('canary')
  expect(lines.join('')).toContain('[secret]')
})

test('tells an expected error without its stack and an unexpected one with it', () => {
  const { log, lines } = capture()
  log.error('m', { error: new FlotillaError('DISK_FULL', 'no room', { file: 'a', hint: 'free some' }) })
  log.error('m', { error: new TypeError('boom') })
  const [expected, unexpected] = lines.map((line) => (JSON.parse(line) as { error: Record<string, unknown> }).error)
  expect(expected).toEqual({ code: 'DISK_FULL', message: 'no room', file: 'a', hint: 'free some' })
  expect(unexpected).toMatchObject({ message: 'boom', stack: expect.stringContaining('log.test.ts') })
})

test('a circular or very deep field does not stop the program', () => {
  const { log, lines } = capture()
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  log.info('m', { circle, big: 10n })
  expect(lines).toHaveLength(1)
})

test('for people it is one short line, without control characters', () => {
  const { log, lines } = capture({ human: true })
  log.warn('line\nfeed', { dataset: 'a\u001b[31m b', ms: 3 })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}hub: line feed {2}dataset="a\\u001b\[31m b" {2}ms=3\n$/)
})
