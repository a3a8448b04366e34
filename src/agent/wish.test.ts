import { expect, test } from 'vitest'
import type { Entry } from '../core/store.ts'
import { wishOf } from './wish.ts'

const entry = (key: string, value: object, revision: number): [string, Entry] => [
  key,
  { key, value: JSON.stringify(value), revision },
]
const base = entry('desired/datasets', { release: 1, manifest: 'm' }, 1)
const request = { kind: 'reload', item: 'a', author: 'anna', atMs: 1 }

test('a node takes up the requests that are meant for it, and those for all', () => {
  const flush = (item: string, revision: number) =>
    entry(`request/datasets/flush-logs/${item}`, { ...request, kind: 'flush-logs', item }, revision)
  const entries = new Map([base, flush('*', 2), flush('erd1', 3), flush('erd2', 4)])
  expect(wishOf('datasets', 'erd1', entries)?.requests.map(({ item }) => item)).toEqual(['*', 'erd1'])
})

test('however often a dataset is asked for, one request waits', () => {
  const entries = new Map([base])
  for (let revision = 2; revision < 1002; revision++) {
    const [key, value] = entry('request/datasets/reload/a', request, revision)
    entries.set(key, value)
  }
  expect(wishOf('datasets', 'erd1', entries)?.requests).toEqual([{ ...request, generation: 1001 }])
})
