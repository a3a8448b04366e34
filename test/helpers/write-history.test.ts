import { expect, test } from 'vitest'
import { contentOf, WriteHistory, writeOf } from './write-history.ts'

test('a file tells which write it is from, and not where it is only a part, or mixed of two', () => {
  const [one, other] = [contentOf(1, 5000), contentOf(2, 5000)]
  expect([writeOf(one), writeOf(other), writeOf(contentOf(3, 0))]).toEqual([1, 2, 3])
  expect(writeOf(one.subarray(0, 4999))).toBeUndefined()
  expect(writeOf(Buffer.alloc(0))).toBeUndefined()
  expect(writeOf(Buffer.concat([one.subarray(0, 2048), other.subarray(2048)]))).toBeUndefined()
  expect(writeOf(Buffer.concat([one, other]))).toBeUndefined()
})

test('what was acknowledged may only be followed by what came after it', () => {
  const history = new WriteHistory()
  const first = history.begin('a', false)
  history.acknowledge(first)
  const second = history.begin('a', false)
  expect(history.staleness('a', first.id, history.now())).toBeUndefined()
  // It may have happened although nobody was told.
  expect(history.staleness('a', second.id, history.now())).toBeUndefined()
  expect(history.staleness('a', undefined, history.now())).toMatch(/is not there/)
  const before = history.now()
  history.acknowledge(second)
  expect(history.staleness('a', first.id, before)).toBeUndefined()
  expect(history.staleness('a', first.id, history.now())).toMatch(/has write 1, although write 2/)
  expect(history.goneBack(second.id, first.id)).toMatch(/went back/)
  expect(history.goneBack(first.id, second.id)).toBeUndefined()
  expect(history.staleness('a', 77, history.now())).toMatch(/never written/)
})

test('of writes at the same time either may be the last; a removal counts like any other', () => {
  const history = new WriteHistory()
  const [put, removal] = [history.begin('a', false), history.begin('a', true)]
  history.acknowledge(removal)
  history.acknowledge(put)
  expect(history.staleness('a', put.id, history.now())).toBeUndefined()
  expect(history.staleness('a', undefined, history.now())).toBeUndefined()
  const last = history.begin('a', true)
  history.acknowledge(last)
  expect(history.staleness('a', put.id, history.now())).toMatch(/removal 3/)
  expect(history.staleness('a', undefined, history.now())).toBeUndefined()
  expect(history.staleness('other', undefined, history.now())).toBeUndefined()
})

test('who has acknowledged a write has it, or one that may be later', () => {
  const history = new WriteHistory()
  const old = history.begin('a', false)
  history.acknowledge(old)
  const [write, other] = [history.begin('a', false), history.begin('a', false)]
  expect(history.behind(write, old.id)).toMatch(/has write 1 in place of write 2/)
  expect(history.behind(write, undefined)).toMatch(/has nothing/)
  expect(history.behind(write, 0)).toMatch(/has write 0/)
  expect([history.behind(write, write.id), history.behind(write, other.id)]).toEqual([undefined, undefined])
  // It may have come before the other, although it was acknowledged earlier than a third that nobody is asked for here.
  history.acknowledge(other)
  history.acknowledge(history.begin('a', false))
  expect(history.behind(write, other.id)).toBeUndefined()
  history.begin('a', true)
  expect(history.behind(write, undefined)).toBeUndefined()
})
