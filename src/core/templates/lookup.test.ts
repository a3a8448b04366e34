import { expect, test } from 'vitest'
import type { Json } from '../json-patch/json.ts'
import { paramIn } from './lookup.ts'

interface Given {
  readonly params?: { readonly [name: string]: Json }
  readonly profiles?: readonly string[]
}

function looked(key: string, start: readonly string[], all: Readonly<Record<string, Given>>): Json | undefined {
  return paramIn(key, {
    profiles: start,
    profile: (name) => (all[name] === undefined ? undefined : { params: {}, profiles: [], ...all[name] }),
    fallback: (name) => (name === 'known' ? 'default' : undefined),
  })
}

test('the first profile that has a param counts, and each comes before those that it names', () => {
  const all = {
    a: { params: { x: 1 }, profiles: ['b'] },
    b: { params: { x: 2, y: 2 }, profiles: ['c'] },
    c: { params: { y: 3, z: 3 } },
    d: { params: { x: 4, y: 4, z: 4, w: 4 } },
  }
  expect(['x', 'y', 'z', 'w'].map((key) => looked(key, ['a', 'd'], all))).toEqual([1, 2, 3, 4])
  expect(looked('x', ['gone', 'd'], all)).toBe(4)
})

test('null is a value, and nothing inherited is one', () => {
  expect(looked('x', ['a', 'b'], { a: { params: { x: null } }, b: { params: { x: 1 } } })).toBeNull()
  expect(looked('toString', ['a'], { a: {} })).toBeUndefined()
})

test('profiles that name each other end in the default, or in nothing', () => {
  const all = { a: { profiles: ['b'] }, b: { profiles: ['a', 'b'] } }
  expect(looked('known', ['a'], all)).toBe('default')
  expect(looked('unknown', ['a'], all)).toBeUndefined()
})
