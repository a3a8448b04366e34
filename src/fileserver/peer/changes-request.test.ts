import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scopeOf, sinceOf } from './changes-request.ts'

const prefix = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 })
const prefixes = fc.array(prefix, { maxLength: 5 })
const key = fc.string({ unit: fc.constantFrom('a', 'b', '/'), minLength: 1, maxLength: 6 })

function covers(some: readonly string[], one: string): boolean {
  return some.length === 0 || some.some((start) => one.startsWith(start))
}

test('what is looked at is what is asked for and allowed, and nothing twice', () => {
  const allowed = fc.array(prefix, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(prefixes, allowed, fc.array(key), (asked, may, keys) => {
      const isAnything = keys.some((one) => covers(asked, one) && covers(may, one))
      let scope: ReturnType<typeof scopeOf> | undefined
      try {
        scope = scopeOf(asked, may)
      } catch (error) {
        expect(error).toMatchObject({ code: 'FORBIDDEN' })
        expect(isAnything).toBe(false)
        return
      }
      for (const one of keys) expect(covers(scope.prefixes, one)).toBe(covers(asked, one) && covers(may, one))
      for (const one of scope.prefixes) {
        expect(scope.prefixes.filter((other) => one.startsWith(other))).toEqual([one])
      }
    }),
  )
})

test('a cursor holds under the rights it was given out under, in whatever order they are', () => {
  const all = scopeOf([], [''])
  const some = scopeOf([], ['a/', 'b/'])
  expect(sinceOf(`e.1${all.mark}`, all)).toBe('e.1')
  expect(sinceOf(`e.1${some.mark}`, scopeOf(['a/'], ['b/', 'a/']))).toBe('e.1')
  expect(sinceOf(`e.1${some.mark}`, all)).toBeUndefined()
  expect(sinceOf(`e.1${all.mark}`, some)).toBeUndefined()
  expect(sinceOf(`e.1${some.mark}`, scopeOf([], ['a/']))).toBeUndefined()
  expect(sinceOf(undefined, some)).toBeUndefined()
})
