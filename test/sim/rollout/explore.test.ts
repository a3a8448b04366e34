import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENT_NAMES, explore, type Plot } from './explore.ts'

/** FLOTILLA_SIM_SEEDS=5000 tells more stories, FLOTILLA_SIM_FIRST=77 tells others. */
const FIRST = Number(process.env['FLOTILLA_SIM_FIRST'] ?? 1)
const STORIES = Number(process.env['FLOTILLA_SIM_SEEDS'] ?? (process.env['FLOTILLA_SOAK'] === '1' ? 5000 : 100))

const seed = fc.integer({ min: 1, max: 1_000_000 })
const event = fc.record({
  name: fc.constantFrom(...EVENT_NAMES),
  seed,
  thenMs: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 6000 })),
})
const plot: fc.Arbitrary<Plot> = fc.record({
  seed,
  nodes: fc.integer({ min: 1, max: 5 }),
  proxies: fc.integer({ min: 0, max: 2 }),
  hubs: fc.integer({ min: 1, max: 2 }),
  events: fc.array(event, { minLength: 5, maxLength: 50, size: 'max' }),
})

test(`${STORIES} random stories of rollouts come to their end, and break no promise on the way`, async () => {
  await fc.assert(
    fc.asyncProperty(plot, async (story) => {
      const { violations, trace } = await explore(story)
      if (violations.length > 0) expect.fail(`${violations.join('\n')}\n${trace.join('\n')}`)
    }),
    {
      seed: FIRST,
      numRuns: STORIES,
      endOnFailure: false,
      interruptAfterTimeLimit: 1_800_000,
      markInterruptAsFailure: true,
    },
  )
}, 3_600_000)
