import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { glob } from './glob.ts'
import { type GenericSelection, select } from './selection.ts'
import { pastDays } from './times.ts'

const NOW = Date.UTC(2026, 7, 29, 12)

function chosen(options: GenericSelection, keys: readonly string[]): readonly string[] {
  const { covers, judge } = select(options)
  return keys.filter((key) => covers(key) && judge({ key, modifiedMs: NOW }) === 'wanted')
}

it('takes everything unless told', () => {
  expect(chosen({}, ['a', 'b/c'])).toEqual(['a', 'b/c'])
})

it('takes what is included and not excluded, below a prefix', () => {
  const options = { prefixes: ['a/'], include: [glob('*.om'), glob('*.json')], exclude: [glob('a/x/**')] }
  expect(chosen(options, ['a/1.om', 'a/x/2.om', 'a/3.txt', 'b/4.om', 'a/y/5.json'])).toEqual(['a/1.om', 'a/y/5.json'])
})

it('goes by the time that a path tells, or else by that of the last change', () => {
  const { judge } = select({ span: pastDays(2, NOW) })
  const verdict = (key: string, modifiedMs = NOW): string => judge({ key, modifiedMs })
  expect(verdict('data_run/m/2026/08/29/0000Z/t.om')).toBe('wanted')
  expect(verdict('data_run/m/2026/08/20/0000Z/t.om')).toBe('unwanted')
  expect(verdict('m/2026-08-28T1200.om')).toBe('wanted')
  expect(verdict('m/2026-08-01.nc')).toBe('unwanted')
  expect(verdict('m/any', NOW - 3 * 86_400_000)).toBe('unwanted')
  expect(verdict('m/any')).toBe('wanted')
})

const part = fc.constantFrom('a', 'b', 'ab')
const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const pattern = fc
  .array(fc.oneof(part, fc.constantFrom('*', '**')), { minLength: 1, maxLength: 3 })
  .map((parts) => glob(parts.join('/')))

it('never leaves a file out of a listing that it covers', () => {
  const options = fc.record({
    prefixes: fc.array(
      fc.oneof(
        key,
        key.map((one) => `${one}/`),
      ),
      { maxLength: 2 },
    ),
    include: fc.array(pattern, { maxLength: 2 }),
    exclude: fc.array(pattern, { maxLength: 2 }),
  })
  fc.assert(
    fc.property(options, key, (given, path) => {
      const { scope, covers } = select(given)
      if (!covers(path)) return
      const { prefixes = [''], enters = () => true } = scope
      expect(prefixes.some((prefix) => path.startsWith(prefix))).toBe(true)
      const parts = path.split('/')
      for (let depth = 1; depth < parts.length; depth++) {
        expect(enters(`${parts.slice(0, depth).join('/')}/`)).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})
