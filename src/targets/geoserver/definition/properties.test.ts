import { expect, test } from 'vitest'
import { readProperties } from './properties.ts'

const read = (text: string) => {
  const { portable, meaning } = readProperties(Buffer.from(text, 'latin1'))
  return { portable: Buffer.from(portable).toString('latin1'), meaning }
}

test('only the date goes, other comments stay but do not count', () => {
  const { portable, meaning } = read('# why\n#Fri Nov 20 10:24:25 UTC 2026\nmode=HIDE\n\n! no\na.b=c\n')
  expect(portable).toBe('# why\nmode=HIDE\n\n! no\na.b=c\n')
  expect(meaning).toBe('mode=HIDE\na.b=c\n')
})

test('a line that goes on is no comment, whatever it begins with', () => {
  expect(read('a=b\\\n#c\nd=e\\\\\n#f\n').meaning).toBe('a=b\\\n#c\nd=e\\\\\n')
})

test('bytes that are no UTF-8 stay what they are', () => {
  const bytes = Buffer.from('name=Qu\xe9bec\n', 'latin1')
  expect(Buffer.from(readProperties(bytes).portable)).toEqual(bytes)
})
