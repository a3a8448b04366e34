import { expect, test } from 'vitest'
import type { LedgerRow } from '../core/push/ledger.ts'
import { Guess } from './sender-guess.ts'

function row(position: number, size = 10): LedgerRow {
  return { key: 'a', version: { epoch: 1, sequence: 1 }, position, recordedMs: 0, size, modifiedMs: 0, etag: 'x' }
}

function lacking(count: number): Guess {
  const guess = new Guess()
  for (let at = 0; at < count; at++) guess.heard({ result: 'wanted' })
  return guess
}

test('a child that wanted all it was offered is sent small files at once, but for a sample', () => {
  expect(lacking(63).isLacking(row(1))).toBe(false)
  const guess = lacking(64)
  const offered = Array.from({ length: 160 }, (_, at) => at).filter((at) => !guess.isLacking(row(at)))
  expect(offered).toHaveLength(10)
  expect(guess.isLacking(row(1, 1_000_000)), 'a large one').toBe(false)
})

test('one that has a file of the sample is offered everything again', () => {
  const guess = lacking(100)
  guess.heard({ result: 'same' })
  expect(guess.isLacking(row(1))).toBe(false)
})
