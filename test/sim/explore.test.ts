import { expect, test } from 'vitest'
import { explore } from './explore.ts'

/** FLOTILLA_SIM_SEEDS=5000 tells more stories, FLOTILLA_SIM_FIRST=77 starts with another one. */
const FIRST = Number(process.env['FLOTILLA_SIM_FIRST'] ?? 1)
const SEEDS = Number(process.env['FLOTILLA_SIM_SEEDS'] ?? (process.env['FLOTILLA_SOAK'] === '1' ? 5000 : 300))

test(`${SEEDS} random stories of faults all end in step, and break no promise on the way`, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const { violations, trace } = await explore(seed)
    if (violations.length > 0) expect.fail(`seed ${seed}: ${violations.join('; ')}\n${trace.join('\n')}`)
  }
}, 3_600_000)

test('a seed tells the same story every time, event by event', async () => {
  for (const seed of [1, 2, 3]) {
    const first = await explore(seed)
    const again = await explore(seed)
    expect(again.trace).toEqual(first.trace)
    expect(first.trace.length).toBeGreaterThan(20)
  }
})
