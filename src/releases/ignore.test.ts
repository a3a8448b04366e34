import { expect, test } from 'vitest'
import { isLeftOut, parseIgnore } from './ignore.ts'

test.for([
  '.git',
  '.hidden.xml',
  '.trash',
  '.flotilla-tmp-a.xml-1',
  'a.xml~',
  'a.xml.bak',
  'a.xml.orig',
  'a.swp',
  '#a#',
])('%s is left out by its name', (name) => {
  expect(isLeftOut(name, false)).toBe(true)
})

test('ordinary names stay, and only a folder named trash is left out', () => {
  for (const name of ['a.xml', 'README.md', 'a#b', 'x.bak.xml', '~a', 'trash', 'trashy']) {
    expect(isLeftOut(name, false)).toBe(false)
  }
  expect(isLeftOut('trash', true)).toBe(true)
  expect(isLeftOut('trashy', true)).toBe(false)
})

test.for([
  ['*.md', 'README.md', true],
  ['*.md', 'a/b/README.md', true],
  ['*.md', 'README.mdx', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['old/*', 'old/x', true],
  ['old/*', 'a/old/x', false],
  ['/top', 'top', true],
  ['/top', 'a/top', false],
  ['**/raw/*.csv', 'raw/x.csv', true],
  ['**/raw/*.csv', 'a/b/raw/x.csv', true],
  ['**/raw/*.csv', 'a/raw/b/x.csv', false],
  ['a/**', 'a/b/c', true],
  ['*', '😀', true],
  ['?', '😀', true],
  ['', 'a', false],
  ['# a', '# a', false],
] as const)('rule "%s" on %s: %s', ([rule, path, ignored]) => {
  expect(parseIgnore(`\r\n${rule}\r\n`).ignores(path, false)).toBe(ignored)
})

test('a rule that ends with a slash is for folders only', () => {
  const rules = parseIgnore('drafts/\na/b/')
  expect(rules.ignores('x/drafts', true)).toBe(true)
  expect(rules.ignores('x/drafts', false)).toBe(false)
  expect(rules.ignores('a/b', true)).toBe(true)
})

test('a rule that is made to take for ever does not', () => {
  const rules = parseIgnore(`${'*a'.repeat(100)}b`)
  const started = performance.now()
  expect(rules.ignores('a'.repeat(255), false)).toBe(false)
  expect(performance.now() - started).toBeLessThan(1000)
})

test('too many rules are refused', () => {
  expect(() => parseIgnore('a\n'.repeat(501))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})
