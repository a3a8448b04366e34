import { describe, expect, test } from 'vitest'
import type { Hint } from '../../src/core/bus.ts'
import { MemoryBus } from '../../src/bus/memory/memory-bus.ts'
import { LossyBus } from '../fault/lossy-bus.ts'
import { seeded } from '../helpers/random.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { busContract } from './bus.ts'

busContract(
  'memory',
  async () => {
    const bus = new MemoryBus()
    return { publisher: bus, subscriber: () => bus, close: async () => await bus.close() }
  },
  { lossy: false },
)

busContract(
  'memory, losing and repeating',
  async () => {
    const faults = { lose: 0.3, repeat: 0.3, clock: new VirtualClock(), random: seeded(1) }
    const bus = new LossyBus(new MemoryBus(), faults)
    return { publisher: bus, subscriber: () => bus, close: async () => await bus.close() }
  },
  { lossy: true },
)

describe('the lossy bus itself', () => {
  test('loses some, gives some twice, and some late', async () => {
    const revisions = await heardWith(7)
    const distinct = new Set(revisions)
    expect(distinct.size).toBeLessThan(100)
    expect(distinct.size).toBeGreaterThan(50)
    expect(revisions).not.toEqual(revisions.toSorted((a, b) => a - b))
  })

  test('does the same with the same seed', async () => {
    expect(await heardWith(7)).toEqual(await heardWith(7))
    expect(await heardWith(7)).not.toEqual(await heardWith(8))
  })
})

/** The revisions that arrive of 1 to 100, in the order they do. */
async function heardWith(seed: number): Promise<readonly number[]> {
  const clock = new VirtualClock()
  const faults = { lose: 0.2, repeat: 0.2, delay: 0.3, clock, random: seeded(seed) }
  const bus = new LossyBus(new MemoryBus(), faults)
  const heard: Hint[] = []
  const reading = async (): Promise<void> => {
    for await (const hint of bus.subscribe({ node: 'a', signal: new AbortController().signal })) heard.push(hint)
  }
  const read = reading()
  for (let revision = 1; revision <= 100; revision++) {
    await bus.publish({ prefix: 'desired/a', revision })
    await clock.advance(10)
  }
  await clock.advance(10_000)
  await bus.close()
  await read
  return heard.map(({ revision }) => revision)
}
