import { expect, test } from 'vitest'
import { Buffers } from './buffers.ts'

const KIB = 1024
/** A piece of a reading that has gone on for long. */
const LATE = 100

test('buffers are the smaller the more read at the same time, and never less than the smallest', () => {
  const buffers = new Buffers()
  const sizes = new Map<number, number>()
  for (let readers = 1; readers <= 1000; readers++) {
    buffers.begin()
    sizes.set(readers, buffers.take(LATE).byteLength / KIB)
  }
  expect([1, 16, 17, 32, 33, 64, 65, 128, 129, 1000].map((readers) => sizes.get(readers))).toEqual([
    512, 512, 256, 256, 128, 128, 64, 64, 32, 32,
  ])
})

test('a reading begins with a small buffer', () => {
  const buffers = new Buffers()
  buffers.begin()
  expect([0, 1, 2, 3, 4, 5000].map((piece) => buffers.take(piece).byteLength / KIB)).toEqual([
    32, 128, 512, 512, 512, 512,
  ])
})

test('a buffer that is given back is used again, and not more are kept than may be', () => {
  const buffers = new Buffers()
  buffers.begin()
  const given = Array.from({ length: 40 }, () => buffers.take(LATE))
  for (const buffer of given) buffers.give(buffer)
  const again = new Set(Array.from({ length: 40 }, () => buffers.take(LATE)))
  expect(given.filter((buffer) => again.has(buffer))).toHaveLength(16)
})

test('when more read, large buffers make room for the smaller ones', () => {
  const buffers = new Buffers()
  buffers.begin()
  const large = Array.from({ length: 16 }, () => buffers.take(LATE))
  for (const buffer of large) buffers.give(buffer)
  for (let readers = 2; readers <= 200; readers++) buffers.begin()
  buffers.give(large[0]!)
  const small = Array.from({ length: 256 }, () => buffers.take(LATE))
  for (const buffer of small) buffers.give(buffer)
  const again = new Set(Array.from({ length: 256 }, () => buffers.take(LATE)))
  expect(small.filter((buffer) => again.has(buffer))).toHaveLength(256)
})

test('large buffers that are free go as soon as more read than they are for', () => {
  const buffers = new Buffers()
  buffers.begin()
  const large = buffers.take(LATE)
  buffers.give(large)
  for (let readers = 2; readers <= 17; readers++) buffers.begin()
  for (let readers = 17; readers > 1; readers--) buffers.end()
  expect(buffers.take(LATE)).not.toBe(large)
})
