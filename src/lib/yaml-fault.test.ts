import { expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { yamlFault } from './yaml-fault.ts'

const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth)
const keys = (count: number, separator: string): string =>
  Array.from({ length: count }, (_, index) => `k${index}: 1`).join(separator)

test.for([
  ['lists', nested('[', ']', 64)],
  ['mappings', nested('{a: ', '}', 64)],
  ['blocks', `${'- '.repeat(64)}x`],
  ['lines', Array.from({ length: 64 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')],
  ['keys', keys(1000, '\n')],
  ['a long list', 'datasets:\n' + '- a\n'.repeat(50_000)],
  ['a long list in brackets', `datasets: [${'a, '.repeat(50_000)}]`],
  ['nothing', ''],
  ['brackets in text', `a: "${'['.repeat(1000)}"\nb: '${'{'.repeat(1000)}'\n# ${'['.repeat(1000)}`],
  ['what is no YAML', 'a: ]\n\t- {'],
] as const)('up to the limits it says nothing: %s', ([, text]) => {
  expect(yamlFault(text)).toBeUndefined()
})

test.for([
  ['lists', nested('[', ']', 65), 1, 65],
  ['keys that are lists', `${'? - '.repeat(40)}x`, 1, 129],
  ['lists in a key', `\n? ${'['.repeat(65)}`, 2, 66],
  ['a second document', `a: 1\n---\n${'['.repeat(65)}`, 3, 65],
] as const)('deeper than 64 is a fault, at its place: %s', ([, text, line, column]) => {
  expect(yamlFault(text)).toEqual({ message: 'the file is nested deeper than 64', line, column })
})

test.for([
  ['\n', (text: string): string => text, 1],
  ['\n  ', (text: string): string => `a:\n  ${text}`, 2],
  [', ', (text: string): string => `{${text}}`, 1],
] as const)(
  'more keys than 1000 in one mapping are one, before they are compared with each other: %j',
  ([by, wrap, line]) => {
    expect(yamlFault(wrap(keys(1001, by)))).toMatchObject({ message: 'a mapping has more than 1000 keys', line })
  },
)

test('what it lets through, the package reads without running out of stack', () => {
  for (const text of [nested('[', ']', 64), nested('{a: ', '}', 64), '- '.repeat(64), '? '.repeat(64)]) {
    expect(parseDocument(text).errors.map(({ message }) => message)).not.toContain('Maximum call stack size exceeded')
  }
})
