import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { silent } from '../core/log.ts'
import { sweepBlobs } from './sweep.ts'
import type { InUse } from './uptake.ts'

function inUse(manifest: string, hashes: readonly string[]): InUse {
  const files = hashes.map((sha256) => ({ path: `${sha256}.xml`, size: 1, sha256 }))
  const tree = { files, read: async () => new Uint8Array() }
  return {
    wanted: { desired: { release: 1, manifest }, requests: [], asOf: 1 },
    staged: { number: 1, manifest: { format: 1, kind: 'x', files, active: {}, removed: {} }, tree, requests: [] },
    prepared: undefined,
  }
}

test('now and then everything goes that nothing in use needs, but nothing that is younger than a week', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const sweeps: [string[], number][] = []
  let all: readonly InUse[] | undefined
  const service = sweepBlobs({
    blobs: {
      sweep: async (keep, olderThanMs) => {
        sweeps.push([[...keep], olderThanMs])
        return { removed: 0, bytes: 0 }
      },
    },
    inUse: () => all,
    clock,
    log: silent,
  })
  void service.run(stop.signal)
  // While it is not known what is in use, everything stays.
  await clock.advance(24 * 3_600_000)
  expect(sweeps).toEqual([])
  all = [inUse('m1', ['a', 'b']), inUse('m2', ['b', 'c'])]
  await clock.advance(6 * 3_600_000)
  expect(sweeps).toEqual([[['m1', 'm2', 'a', 'b', 'c'], 7 * 24 * 3_600_000]])
})
