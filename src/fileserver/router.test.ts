import { expect, test } from 'vitest'
import { memoryTree } from '../../test/helpers/file-server.ts'
import { Router } from './router.ts'

const router = (names: readonly string[], domain?: string): Router =>
  new Router(
    names.map((name) => memoryTree(name)),
    domain,
  )

/** `bucket|key`, with a question mark where the bucket was not named. */
function placed(one: Router, path: string, host?: string): string {
  const { bucket, key, isGuess } = one.place(path, one.bucketOfHost(host))
  return `${bucket?.name ?? ''}${bucket !== undefined && isGuess ? '?' : ''}|${key}`
}

test.for([
  ['/', '|'],
  ['/data', 'data|'],
  ['/data/', 'data|'],
  ['/data/a/b', 'data|a/b'],
  ['/data//a', 'data|/a'],
  ['/data/data/a', 'data|data/a'],
  ['/openmeteo', 'openmeteo|'],
  ['/openmeteo/data/a', 'openmeteo|data/a'],
  ['/nothing/a', '|nothing/a'],
  ['//data/a', '|/data/a'],
  ['/data.x/a', '|data.x/a'],
  ['/DATA/a', '|DATA/a'],
  ['/__proto__/a', '|__proto__/a'],
])('of several trees, the path %s means %s', ([path, expected]) => {
  expect(placed(router(['data', 'runs']), path as string)).toBe(expected)
})

test('a path without a tree is of the only tree, or of the one that is called as Open-Meteo’s bucket', () => {
  expect(placed(router(['only']), '/a/b')).toBe('only?|a/b')
  expect(placed(router(['only']), '/only/b')).toBe('only|b')
  expect(placed(router(['openmeteo', 'other']), '/data/a')).toBe('openmeteo?|data/a')
  expect(placed(router(['openmeteo', 'other']), '/openmeteo/data/a')).toBe('openmeteo|data/a')
  expect(router(['openmeteo', 'other']).root.tree?.name).toBe('openmeteo')
  expect(router(['only']).root.tree).toBeUndefined()
})

test('a host names a tree, below the domain only', () => {
  const one = router(['data', 'runs'], 'files.example.org')
  expect(placed(one, '/runs/a', 'data.files.example.org')).toBe('data|runs/a')
  expect(placed(one, '/', 'DATA.files.example.org:8480')).toBe('data|')
  expect(placed(one, '/a', 'openmeteo.files.example.org')).toBe('openmeteo|a')
  expect(placed(one, '/runs/a', 'files.example.org')).toBe('runs|a')
  expect(placed(one, '/runs/a', 'data.example.org')).toBe('runs|a')
  expect(placed(one, '/runs/a', 'nothing.files.example.org')).toBe('|nothing/runs/a')
})

test('a key of everything begins with its tree', () => {
  const one = router(['data', 'runs'])
  expect(one.resolve(one.root, 'runs/a/b')).toMatchObject({ tree: { name: 'runs' }, key: 'a/b' })
  for (const key of ['runs', 'nothing/a', '/runs/a', '', '/']) expect(one.resolve(one.root, key)).toBeUndefined()
})
