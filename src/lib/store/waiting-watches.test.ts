import { describe, expect, it } from 'vitest'
import type { Batch } from '../../core/store.ts'
import { WaitingWatches } from './waiting-watches.ts'

const { signal } = new AbortController()
const deletion = (revision: number, key: string): Batch => ({ revision, changes: [{ op: 'delete', key }] })

describe('waiting watches', () => {
  it('are woken by the first commit under their prefix, and by no other', async () => {
    const watches = new WaitingWatches()
    const woken: string[] = []
    for (const prefix of ['a/', 'b/', '']) {
      void watches.next([prefix], signal).then((revision) => woken.push(`${prefix}${revision}`))
    }
    watches.wake([deletion(1, 'c/x'), deletion(2, 'a/x'), deletion(3, 'a/y')])
    await Promise.resolve()
    expect(woken).toEqual(['a/2', '1'])
    watches.wake([deletion(4, 'a/x'), deletion(5, 'b/x')])
    await Promise.resolve()
    expect(woken).toEqual(['a/2', '1', 'b/5'])
  })

  it('are woken with nothing when their signal aborts or the store ends', async () => {
    const watches = new WaitingWatches()
    const stop = new AbortController()
    const aborted = watches.next([''], stop.signal)
    const ended = watches.next([''], signal)
    stop.abort()
    expect(await aborted).toBeUndefined()
    watches.end()
    expect(await ended).toBeUndefined()
  })
})
