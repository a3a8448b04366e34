import { expect, it } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { Streams } from './streams.ts'

const MIB = 1024 * 1024

/** The most under way at once, over all files, after the first blocks; where a block takes so long beside so many others. */
async function most(files: number, blockMs: (running: number) => number): Promise<number> {
  const clock = new VirtualClock()
  const streams = new Streams(clock)
  let peak = 0
  let running = 0
  const pull = async (): Promise<void> => {
    let begun = 0
    const spans = Array.from({ length: 60 }, (_, block) => ({ start: block * 8 * MIB, end: (block + 1) * 8 * MIB }))
    await streams.each(spans, async () => {
      running += 1
      if (++begun > 20) peak = Math.max(peak, running)
      await clock.sleep(blockMs(running))
      running -= 1
    })
  }
  const state = { isDone: false }
  void Promise.all(Array.from({ length: files }, pull)).then(() => (state.isDone = true))
  while (!state.isDone) await clock.advance(1)
  return peak
}

it('reads one range of a file after the other where that is as fast as it gets', async () => {
  expect(await most(1, (running) => 10 * running)).toBe(1)
  expect(await most(4, (running) => 10 * running)).toBe(4)
})

it('reads a few ranges at once where one would not fill the line, and more where each is slow', async () => {
  expect(await most(1, () => 200)).toBe(4)
  expect(await most(4, () => 200)).toBe(4)
  expect(await most(1, () => 500)).toBe(8)
  expect(await most(4, () => 500)).toBe(32)
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
