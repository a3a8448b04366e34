import { expect, it } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { Streams } from './streams.ts'

const MIB = 1024 * 1024

/** The most under way at once, per file, where each block takes so long. */
async function most(files: number, blockMs: number): Promise<number> {
  const clock = new VirtualClock()
  const streams = new Streams(clock)
  let peak = 0
  const pull = async (): Promise<void> => {
    let running = 0
    const spans = Array.from({ length: 30 }, (_, block) => ({ start: block * 8 * MIB, end: (block + 1) * 8 * MIB }))
    await streams.each(spans, async () => {
      peak = Math.max(peak, ++running)
      await clock.sleep(blockMs)
      running -= 1
    })
  }
  const state = { isDone: false }
  void Promise.all(Array.from({ length: files }, pull)).then(() => (state.isDone = true))
  while (!state.isDone) await clock.advance(blockMs)
  return peak
}

it('reads a few ranges at once on a fast line, one of each file where there are many, and more on a slow one', async () => {
  expect(await most(1, 10)).toBe(4)
  expect(await most(4, 10)).toBeLessThanOrEqual(4)
  expect(await most(1, 5000)).toBe(8)
  expect(await most(4, 5000)).toBe(8)
})

it('ends with the first failure, and leaves nothing running', async () => {
  const streams = new Streams(new VirtualClock())
  let running = 0
  const spans = Array.from({ length: 9 }, (_, start) => ({ start, end: start + 1 }))
  const failing = streams.each(spans, async ({ start }) => {
    running += 1
    await Promise.resolve()
    running -= 1
    if (start === 2) throw new Error('broken')
  })
  await expect(failing).rejects.toThrow('broken')
  expect(running).toBe(0)
})
