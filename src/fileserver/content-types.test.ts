import { expect, test } from 'vitest'
import { OTHER_TYPE, typeOf } from './content-types.ts'

test.each([
  ['a/b.json', 'application/json'],
  ['a.b/C.NC', 'application/x-netcdf'],
  ['json', OTHER_TYPE],
  ['a.json/b', OTHER_TYPE],
  ['a.', OTHER_TYPE],
  ['a.constructor', OTHER_TYPE],
  ['a.__proto__', OTHER_TYPE],
])('the type of %s is %s', (key, type) => expect(typeOf(key)).toBe(type))
