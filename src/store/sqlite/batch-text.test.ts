import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Change } from '../../core/store.ts'
import { batchFromText, batchToText } from './batch-text.ts'

it('a commit comes back from the history as it was', () => {
  const revision = 7
  const text = fc.string({ unit: 'binary' })
  const leased = fc.record({ key: text, value: text, revision: fc.constant(revision), leaseId: text })
  const free = fc.record({ key: text, value: text, revision: fc.constant(revision) })
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ op: fc.constant('put' as const), entry: fc.oneof(leased, free) }),
    fc.record({ op: fc.constant('delete' as const), key: text }),
  )
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const batch = { revision, changes }
      expect(batchFromText(revision, batchToText(batch))).toEqual(batch)
    }),
  )
})
