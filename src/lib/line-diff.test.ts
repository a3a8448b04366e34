import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DiffLine, lineDiff, type ShownLine } from './line-diff.ts'

const lines = (...texts: readonly string[]): ShownLine[] => texts.map((text) => ({ raw: text, text }))

function textOf(found: readonly DiffLine[] | undefined): readonly string[] | undefined {
  return found?.map(({ sign, text }) => sign + text)
}

test('lines that differ are told, with one beside them', () => {
  const before = lines('a', 'b', 'c', 'd', 'e')
  expect(textOf(lineDiff(before, lines('a', 'b', 'X', 'd', 'e')))).toEqual([' b', '-c', '+X', ' d'])
  expect(textOf(lineDiff(before, before))).toEqual([])
  expect(textOf(lineDiff([], lines('a')))).toEqual(['+a'])
})

test('what may not be shown still counts', () => {
  const [was, is] = ['crypt1:a', 'crypt1:b'].map((raw) => [{ raw, text: '(not shown)' }])
  expect(textOf(lineDiff(was ?? [], is ?? []))).toEqual(['-(not shown)', '+(not shown)'])
})

test('two texts that have too little in common are not compared', () => {
  const many = (letter: string) => Array.from({ length: 4001 }, (_, index) => ({ raw: `${letter}${index}`, text: '' }))
  expect(lineDiff(many('a'), many('b'))).toBeUndefined()
})

test('whatever is taken away stood before, and whatever comes stands after', () => {
  const some = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })
  fc.assert(
    fc.property(some, some, (was, is) => {
      const found = lineDiff(lines(...was), lines(...is)) ?? []
      const count = (texts: readonly string[], text: string) => texts.filter((one) => one === text).length
      for (const text of ['a', 'b', 'c', 'd']) {
        const of = (sign: string) => found.filter((line) => line.sign === sign && line.text === text).length
        expect(count(was, text) - of('-')).toBe(count(is, text) - of('+'))
      }
    }),
  )
})
