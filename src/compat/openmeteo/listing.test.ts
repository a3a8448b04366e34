import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test as anywhere } from 'vitest'
import { FIXTURES, needs } from '../../../test/helpers/needs.ts'
import { openMeteoList, openMeteoRoots, type OpenMeteoLine } from './listing.ts'

const test = await needs({ fixtures: true })
const golden = (name: string): string => readFileSync(join(FIXTURES, 'openmeteo/golden', name), 'utf8')
const tokenOf = (after: string): string => Buffer.from(after).toString('base64url')

function listOf(prefix: string, lines: readonly OpenMeteoLine[], bytesMax?: number): string {
  return [...openMeteoList({ prefix, lines: () => lines, tokenOf, bytesMax })].join('')
}

const folder = 'data/cmc_gem_gdps/shortwave_radiation/'
const FILES = [
  { key: `${folder}chunk_1430.om`, size: 123_456_789, modifiedMs: Date.parse('2026-08-20T09:54:22.987Z') },
  { key: `${folder}chunk_1431.om`, size: 98_765_432, modifiedMs: Date.parse('2026-08-20T09:55:01Z') },
]

test('the list of a folder of files is that of its server, byte for byte', () => {
  expect(listOf(folder, FILES)).toBe(golden('server-list-variable.xml'))
})

test('the list of folders is that of its server, byte for byte', () => {
  const lines = ['shortwave_radiation/', 'static/'].map((name) => ({ commonPrefix: `data/cmc_gem_gdps/${name}` }))
  expect(listOf('data/cmc_gem_gdps/', lines)).toBe(golden('server-list-model.xml'))
})

test('the list of the roots is that of its server, byte for byte', () => {
  expect(openMeteoRoots(['data', 'data_run', 'data_spatial'])).toBe(golden('server-list-root.xml'))
})

anywhere('what its clients would stumble over is not listed', () => {
  const lines = [
    { commonPrefix: 'data/.hidden/' },
    { commonPrefix: 'data/m/' },
    { key: 'data/.a.om', size: 9, modifiedMs: 0 },
    { key: 'data/chunk_1.om.8374~', size: 9, modifiedMs: 0 },
    { key: 'data/empty.om', size: 0, modifiedMs: 0 },
    { key: 'data/three.om', size: 3, modifiedMs: 0 },
    { key: 'data/four.om', size: 4, modifiedMs: 0 },
  ]
  const names = [...listOf('data/', lines).matchAll(/<(?:Key|Prefix)>([^<]*)</g)].map(([, name]) => name)
  expect(names).toEqual(['data/', 'data/m/', 'data/four.om'])
  expect(listOf('data/', lines)).toContain('<KeyCount>2</KeyCount>')
})

anywhere('a list that would be longer than its clients read is cut, and goes on from there', () => {
  const all = Array.from({ length: 5000 }, (_, number) => ({
    key: `data/f${String(number).padStart(4, '0')}.om`,
    size: 100,
    modifiedMs: 1.7e12,
  }))
  const bytesMax = 100_000
  const seen: string[] = []
  let after = ''
  for (;;) {
    const lines = all.filter(({ key }) => key > after)
    const text = listOf('data/', lines, bytesMax)
    expect(Buffer.byteLength(text)).toBeLessThan(bytesMax + 1000)
    const keys = [...text.matchAll(/<Key>([^<]*)</g)].map(([, key = '']) => key)
    expect(text).toContain(`<KeyCount>${keys.length}</KeyCount>`)
    seen.push(...keys)
    const token = /<IsTruncated>true<\/IsTruncated>\n {4}<NextContinuationToken>([\w-]+)</.exec(text)?.[1]
    if (token === undefined) break
    after = Buffer.from(token, 'base64url').toString()
  }
  expect(seen).toEqual(all.map(({ key }) => key))
})

anywhere('a list of any length holds only pieces of it', () => {
  const lines = function* (): Generator<OpenMeteoLine> {
    for (let number = 0; number < 100_000; number++) yield { key: `data/f${number}.om`, size: 100, modifiedMs: 1.7e12 }
  }
  let bytes = 0
  let keys = 0
  for (const piece of openMeteoList({ prefix: 'data/', lines, tokenOf })) {
    expect(piece.length).toBeLessThan(70_000)
    bytes += piece.length
    keys += piece.split('<Key>').length - 1
  }
  expect(keys).toBe(100_000)
  expect(bytes).toBeGreaterThan(10_000_000)
})
