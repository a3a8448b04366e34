import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isError } from './errors.ts'
import { checkKey, checkPrefix, checkTxn } from './store-limits.ts'

describe('the limits of the store', () => {
  it('count the bytes of values as UTF-8 does', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (values) => {
        const changes = values.map((value, index) => ({ op: 'put' as const, key: `k${index}`, value }))
        expect(checkTxn({ changes })).toBe(new TextEncoder().encode(values.join('')).length)
      }),
    )
  })

  it('take a key exactly if it holds printable ASCII without spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }), (key) => {
        const fine = Array.from(key).every((character) => character > ' ' && character < '\u007f')
        expect(taken(() => checkKey(key))).toBe(fine)
        expect(taken(() => checkPrefix(key))).toBe(fine)
      }),
    )
    expect(taken(() => checkKey(''))).toBe(false)
    expect(taken(() => checkPrefix(''))).toBe(true)
  })
})

function taken(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    expect(isError(error, 'BAD_REQUEST')).toBe(true)
    return false
  }
}
