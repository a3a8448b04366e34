import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Json, unfitness } from '../core/json-patch/json.ts'
import { parseWord, printWord } from './json-words.ts'

it.for([
  ['none', 'none'],
  ['"none"', 'none'],
  ['no', 'no'],
  ['on', 'on'],
  ['~', '~'],
  ['010', '010'],
  ['a: b', 'a: b'],
  ['http://example.org/x', 'http://example.org/x'],
  ['/etc/passwd', '/etc/passwd'],
  ['-', '-'],
  ['', ''],
  ['true', true],
  ['null', null],
  ['-5', -5],
  ['1.50', 1.5],
  ['{"a": [1]}', { a: [1] }],
] as readonly (readonly [string, Json])[])('%s is %j', ([text, value]) => {
  expect(parseWord(text)).toEqual(value)
})

it.for(['{a: 1}', '[1, 2', '"half', ' {"a"}', '9007199254740993', '[1e400]', '{"__proto__": 1}'])(
  '%s is a mistake',
  (text) => {
    expect(() => parseWord(text)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error)
  },
)

it('what is printed is read as the same', () => {
  const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => unfitness(value, 20) === undefined) as fc.Arbitrary<Json>
  const text = fc.oneof(fc.string(), fc.constantFrom('5', 'true', 'null', '', ' x', 'x\n', '{', '[', '"', '-0', '1e5'))
  fc.assert(
    fc.property(fc.oneof(json, text), (value) => {
      expect(parseWord(printWord(value))).toEqual(value)
    }),
  )
})

it('a plain text is printed without quotes, so that a shell can compare it', () => {
  expect(['none', 'a b', 'uuid-7', '5', 'x\n'].map(printWord)).toEqual(['none', 'a b', 'uuid-7', '"5"', '"x\\n"'])
})

it('nothing that is printed is obeyed by a terminal', () => {
  for (const text of ['\u001b[31m', '\u009b31m', 'a\u202eb']) {
    for (const value of [text, [text], { [text]: text }]) {
      expect(printWord(value)).toMatch(/^[ -~]+$/)
      expect(parseWord(printWord(value))).toEqual(value)
    }
  }
})
