import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shellWord } from './shell-word.ts'

test('a plain path stays as it is', () =>
  expect(shellWord('/etc/flotilla/files.keys')).toBe('/etc/flotilla/files.keys'))

test('a shell takes any text for one word', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', ' ', "'", '"', '$', '`', '\\', '\n', '*', '~', '#', '&', ';', '!'),
    minLength: 1,
    maxLength: 8,
  })
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), (texts) => {
      const said = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${texts.map(shellWord).join(' ')}`], {
        encoding: 'utf8',
      })
      expect(said.split('\0').slice(0, -1)).toEqual(texts)
    }),
    { numRuns: 30 },
  )
})
