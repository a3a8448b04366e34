import { expect, test } from 'vitest'
import { forEachLimited } from './limited.ts'

test('every item is worked on once, never more than the limit at a time', async () => {
  const seen: number[] = []
  let running = 0
  let most = 0
  await forEachLimited(Array(50).keys(), 7, async (item) => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    running--
    seen.push(item)
  })
  expect(seen.toSorted((a, b) => a - b)).toEqual([...Array(50).keys()])
  expect(most).toBe(7)
})

test('after a failure nothing new begins, and what was under way has ended', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const work = forEachLimited(Array(50).keys(), 3, async (item) => {
    begun.push(item)
    for (let turn = 0; turn < item; turn++) await Promise.resolve()
    ended.push(item)
    if (item === 1) throw new Error('item 1')
  })
  await expect(work).rejects.toThrow('item 1')
  expect(begun.length).toBeLessThan(10)
  expect(ended.toSorted((a, b) => a - b)).toEqual(begun)
})

test('a failure that is undefined is still a failure', async () => {
  // oxlint-disable-next-line prefer-promise-reject-errors -- any value may be thrown by what is called
  await expect(forEachLimited([1], 1, async () => Promise.reject(undefined))).rejects.toBeUndefined()
})
