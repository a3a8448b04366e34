import { expect, test } from 'vitest'
import { IN_NO_PACKAGE, Tally } from './tally.ts'

function tally(passed: number, failed: string[] = [], skipped: [string, string][] = []): Tally {
  const result = new Tally()
  result.passed = passed
  result.failed.push(...failed)
  for (const [name, reason] of skipped) result.skipped.push({ name, reason })
  return result
}

test('the last line of the summary has the counts and nothing else', () => {
  const lines = tally(3, ['a'], [['b', 'no strace']])
    .summary()
    .split('\n')
  expect(lines.at(-1)).toBe('3 passed, 1 failed, 1 skipped')
  expect(lines).toContain('FAILED: a')
  expect(lines).toContain('skipped: b (no strace)')
})

test.for([
  [tally(1), false, true],
  [tally(1, ['x']), false, false],
  [tally(0), false, false],
  [tally(1, [], [['b', 'needs root']]), false, true],
  [tally(1, [], [['b', 'needs root']]), true, false],
  [tally(1, [], [['b', `drpcli is ${IN_NO_PACKAGE}`]]), true, true],
  [
    tally(
      1,
      [],
      [
        ['b', `drpcli is ${IN_NO_PACKAGE}`],
        ['c', 'needs root'],
      ],
    ),
    true,
    false,
  ],
] as const)('holds: %#', ([result, ci, ok]) => {
  expect(result.ok(ci)).toBe(ok)
})
