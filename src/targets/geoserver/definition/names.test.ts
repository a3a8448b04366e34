import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nameIn, qualified, spoken, unspoken } from './names.ts'

const name = fc.string({ unit: 'grapheme', minLength: 1 })
const workspace = fc.option(fc.stringMatching(/^[A-Za-z][\w.-]{0,10}$/), { nil: undefined })

test('a name is read again as it was, on one line', () => {
  fc.assert(
    fc.property(workspace, name, (ws, text) => {
      const whole = qualified(ws, text)
      expect(nameIn(whole)).toEqual({ workspace: ws, name: text })
      expect(whole).not.toMatch(/[\r\n]/)
    }),
  )
})

test('what GeoServer calls an object leads back to its key', () => {
  fc.assert(
    fc.property(workspace, name, (ws, text) => {
      fc.pre(ws !== undefined || !text.includes(':'))
      const whole = qualified(ws, text)
      expect(unspoken(spoken(`layer/${whole}`))).toBe(whole)
    }),
  )
})
