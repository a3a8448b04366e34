import { expect, test } from 'vitest'
import { FlotillaError } from '../../../core/errors.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { AdminSocket } from './admin.ts'
import type { Rendered } from './render.ts'
import type { Running } from './running.ts'
import type { ServerState } from './servers.ts'
import { isNothing, type Orders, ordersFor } from './tell.ts'

const A: ServerState = { id: 1, host: '10.0.0.1', port: 80, weight: 100, isDown: false }
const ROWS = ['* 1/1/+/1/a', '= f1']

function both(servers: Readonly<Record<string, ServerState>>): Running['servers'] {
  return new Map([
    ['placed', new Map()],
    ['hashed', new Map(Object.entries(servers))],
  ])
}

function told(
  wanted: Readonly<Record<string, ServerState>>,
  is: Readonly<Record<string, ServerState>>,
  fingerprint = 'f1',
) {
  const rendered: Rendered = {
    files: new Map(),
    rows: ROWS,
    fingerprint: 'f1',
    servers: both(wanted),
    checkMs: 1000,
    shape: 's',
  }
  return ordersFor(rendered, { shape: 's', fingerprint, servers: both(is) })
}

function words({ before, after, removals }: Orders): readonly string[] {
  return [...before, ...after, ...removals].map((order) => order.words.join(' '))
}

test('what is there is not told', () => {
  expect(told({ a: A }, { a: A })).toMatchObject({ before: [], rows: undefined, after: [], removals: [] })
  expect(isNothing(told({ a: A }, { a: A }))).toBe(true)
})

test('another table is told as a whole', () => {
  expect(told({ a: A }, { a: A }, 'f0').rows).toEqual(ROWS)
  expect(isNothing(told({ a: A }, { a: A }, 'f0'))).toBe(false)
})

test('what opens is told before the rows that lead to it, what closes behind them', () => {
  const b = { ...A, id: 2, port: 81 }
  const { before, after } = told({ a: { ...A, isDown: true }, b }, { a: A, b: { ...b, isDown: true } })
  expect(before.map((order) => order.words.join(' '))).toEqual(['set server hashed/b state ready'])
  expect(after.map((order) => order.words.join(' '))).toEqual(['set server hashed/a state maint'])
})

test('a drain is a weight of nothing', () => {
  expect(words(told({ a: { ...A, weight: 0 } }, { a: A }))).toEqual(['set weight hashed/a 0'])
  expect(words(told({ a: A }, { a: { ...A, weight: 0 } }))).toEqual(['set weight hashed/a 100'])
})

test('one that goes down while it is drained is not let in on the way, nor one that comes back drained', () => {
  const [drained, down] = [
    { ...A, weight: 0 },
    { ...A, isDown: true },
  ]
  expect(words(told({ a: down }, { a: drained }))).toEqual(['set server hashed/a state maint'])
  expect(isNothing(told({ a: down }, { a: { ...drained, isDown: true } }))).toBe(true)
  expect(words(told({ a: drained }, { a: down }))).toEqual(['set weight hashed/a 0', 'set server hashed/a state ready'])
  expect(words(told({ a: A }, { a: { ...drained, isDown: true } }))).toEqual([
    'set weight hashed/a 100',
    'set server hashed/a state ready',
  ])
})

test('a server that is new is added with its id, watched, and let in unless it is down', () => {
  const [add = '', ...rest] = words(told({ a: A }, {}))
  expect(add).toMatch(
    /^add server hashed\/a ipv4@10\.0\.0\.1:80 id 1 weight 100 check .*observe layer4 .*on-error mark-down$/,
  )
  expect(rest).toEqual(['enable health hashed/a', 'set server hashed/a state ready'])
  expect(words(told({ a: { ...A, isDown: true } }, {}))).toHaveLength(2)
})

test('one that is gone is closed and taken away; the same name with another id is another server', () => {
  expect(words(told({}, { a: A }))).toEqual(['set server hashed/a state maint', 'del server hashed/a'])
  expect(words(told({}, { a: { ...A, isDown: true } }))).toEqual(['del server hashed/a'])
  expect(isNothing(told({}, { a: { ...A, isDown: true } }))).toBe(true)
  const again = words(told({ a: { ...A, id: 9 } }, { a: A }))
  expect(again.slice(0, 2)).toEqual(['set server hashed/a state maint', 'del server hashed/a'])
  expect(again[2]).toContain(' id 9 ')
})

test('an address is compared as an address', () => {
  expect(words(told({ a: { ...A, host: '10.0.0.2', port: 81 } }, { a: A }))).toEqual([
    'set server hashed/a addr 10.0.0.2 port 81',
  ])
  expect(words(told({ a: { ...A, host: '2001:DB8:0:0::1' } }, { a: { ...A, host: '2001:db8::1' } }))).toEqual([])
  expect(words(told({ a: { ...A, host: '::2' } }, { a: { ...A, host: '::1' } }))).toHaveLength(1)
})

test.for(['a b', 'a;b', 'a\nb', 'a\\', 'a"b', "a'b", '<<', '', 'é', 'a\u0000b'])(
  '%j is no word of an order',
  async (word) => {
    const admin = new AdminSocket('/nowhere/admin.sock', systemClock)
    await expect(admin.ask(['set', word])).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(admin.askAll([['show'], ['set', word]])).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  },
)

test.for(['', ' ', 'a b\nquit', 'a\rb', 'a\u0000'])('%j is no line that belongs to an order', async (line) => {
  const admin = new AdminSocket('/nowhere/admin.sock', systemClock)
  await expect(admin.ask(['add'], { payload: ['a b', line] })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})

test('where nobody listens it is said so', async () => {
  const admin = new AdminSocket('/nowhere/admin.sock', systemClock)
  await expect(admin.ask(['show', 'info'])).rejects.toBeInstanceOf(FlotillaError)
  await expect(admin.ask(['show', 'info'])).rejects.toMatchObject({ code: 'UNREACHABLE' })
})
