import * as fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { glob } from './glob.ts'

describe('what a pattern means', () => {
  test.for([
    ['*.om', 'a/b/c.om', true],
    ['*.om', 'c.om', true],
    ['*.om', 'c.om.txt', false],
    ['a/*.om', 'a/b.om', true],
    ['a/*.om', 'a/b/c.om', false],
    ['a/*.om', 'x/a/b.om', false],
    ['a/**', 'a/b/c', true],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['a/**/z', 'ab/z', false],
    ['static/', 'x/static/meta.json', true],
    ['a/b/', 'a/b/c/d', true],
    ['a/b/', 'a/b', false],
    ['/top', 'top', true],
    ['f?', 'fa', true],
    ['f?', 'f/', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['{meta,latest}.json', 'm/latest.json', true],
    ['data/{a,b}/*.om', 'data/b/1.om', true],
    ['a.b', 'axb', false],
    ['a+(b)', 'a+(b)', true],
    ['*', '.hidden', true],
    ['name\nwith', 'name\nwith', true],
  ] as const)('%s and %s: %s', ([pattern, key, matches]) => {
    expect(glob(pattern).matches(key)).toBe(matches)
  })
})

test.for(['', '/', 'a[', '{a,{b,c}}', 'a{b', '[z-a]'])('%s is no pattern', (pattern) => {
  expect(() => glob(pattern)).toThrow(/no pattern/)
})

const part = fc.stringMatching(/^[ab]{1,2}$/)
const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const pattern = fc
  .array(fc.oneof(part, fc.constantFrom('*', '**', '?', 'a*', '{a,b}', '[ab]b')), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))

it('never passes over a folder that holds a match, nor takes one as a whole that holds something else', () => {
  fc.assert(
    fc.property(pattern, key, (text, path) => {
      const meant = glob(text)
      const folders = path.split('/').map((_, index, parts) => parts.slice(0, index).join('/'))
      for (const folder of folders.filter((one) => one !== '').map((one) => `${one}/`)) {
        if (meant.matches(path)) expect(meant.reaches(folder), `${text} reaches ${folder}`).toBe(true)
        else expect(meant.swallows(folder), `${text} swallows ${folder}`).toBe(false)
      }
      if (meant.matches(path)) expect(path.startsWith(meant.prefix)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
