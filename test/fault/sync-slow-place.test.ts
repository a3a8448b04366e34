import { expect, it } from 'vitest'
import { type FileCalls, localCalls } from '../../src/lib/file-calls.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { MemorySource } from '../helpers/memory-source.ts'
import { contents, once } from '../helpers/pulling.ts'

it('files go on travelling while others wait for their places, also one at a time', async () => {
  const source = new MemorySource()
  for (let file = 0; file < 50; file++) source.put(`data/f${file}`, `content ${file}`)
  const openedThen: number[] = []
  const rename: FileCalls['rename'] = (from, to) => {
    openedThen.push(source.opened.length)
    return localCalls.rename(from, to)
  }
  const to = temporaryFolder()
  const summary = await once(source, to, { concurrent: 1, clock: systemClock, calls: { ...localCalls, rename } })
  expect(summary).toMatchObject({ complete: true, fetched: 50 })
  expect(Object.keys(contents(to))).toHaveLength(50)
  // With its turn held until it is in its place, each would be renamed before the next is asked for.
  expect(openedThen[0]).toBeGreaterThan(1)
})
