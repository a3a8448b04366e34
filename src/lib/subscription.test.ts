import { expect, test } from 'vitest'
import { Subscription, type SubscriptionOptions } from './subscription.ts'

interface Item {
  readonly key: string
  readonly value: number
}

const newest = (waiting: Item, next: Item): Item | undefined => (waiting.key === next.key ? next : undefined)

function subscription(options: Partial<SubscriptionOptions<Item>> = {}): Subscription<Item> {
  return new Subscription({ signal: new AbortController().signal, limit: 3, ...options })
}

async function all(source: AsyncIterable<Item>): Promise<readonly number[]> {
  const values: number[] = []
  for await (const { value } of source) values.push(value)
  return values
}

test('what was pushed before the reader starts is there, in order', async () => {
  const source = subscription()
  for (const value of [1, 2, 3]) source.push({ key: `${value}`, value })
  source.end()
  expect(await all(source)).toEqual([1, 2, 3])
})

test('a reader that waits gets a value when it comes', async () => {
  const source = subscription()
  const next = source[Symbol.asyncIterator]().next()
  source.push({ key: 'a', value: 1 })
  expect(await next).toEqual({ done: false, value: { key: 'a', value: 1 } })
})

test('a value takes the place of a waiting one it can be merged with', async () => {
  const source = subscription({ merge: newest })
  source.push({ key: 'a', value: 1 })
  source.push({ key: 'b', value: 2 })
  source.push({ key: 'a', value: 3 })
  source.end()
  expect(await all(source)).toEqual([3, 2])
})

test('beyond the limit the oldest is forgotten', async () => {
  const source = subscription()
  for (const value of [1, 2, 3, 4, 5]) source.push({ key: `${value}`, value })
  source.end()
  expect(await all(source)).toEqual([3, 4, 5])
})

test('an aborted signal drops what waits, ends a waiting reader and tells the source once', async () => {
  const stop = new AbortController()
  let ends = 0
  const source = subscription({ signal: stop.signal, onEnd: () => ends++ })
  const reader = source[Symbol.asyncIterator]()
  source.push({ key: 'a', value: 1 })
  await reader.next()
  const waiting = reader.next()
  stop.abort()
  expect(await waiting).toEqual({ done: true, value: undefined })
  source.push({ key: 'a', value: 2 })
  expect(await all(source)).toEqual([])
  expect(ends).toBe(1)
})

test('a signal that is aborted already ends it at once', async () => {
  let ends = 0
  const source = subscription({ signal: AbortSignal.abort(), onEnd: () => ends++ })
  source.push({ key: 'a', value: 1 })
  expect(await all(source)).toEqual([])
  expect(ends).toBe(1)
})

test('a reader that leaves ends it', async () => {
  let ends = 0
  const source = subscription({ onEnd: () => ends++ })
  source.push({ key: 'a', value: 1 })
  source.push({ key: 'b', value: 2 })
  for await (const _ of source) break
  expect(ends).toBe(1)
  source.push({ key: 'c', value: 3 })
  expect(await all(source)).toEqual([])
})
