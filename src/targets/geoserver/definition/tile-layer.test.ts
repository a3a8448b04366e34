import fc from 'fast-check'
import { expect, test } from 'vitest'
import { classify } from './classify.ts'
import { tileLayerPath } from './tile-layer.ts'

test('every name of a layer has a path of its own that a release takes', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(name, name, (a, b) => {
      const [first, second] = [tileLayerPath(`tile-layer/${a}`), tileLayerPath(`tile-layer/${b}`)]
      expect(classify(first).kind).toBe('tile-layer')
      expect(first === second).toBe(a === b)
    }),
  )
})
