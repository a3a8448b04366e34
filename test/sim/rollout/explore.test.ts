import { expect, test } from 'vitest'
import { explore } from './explore.ts'

/** FLOTILLA_SIM_SEEDS=5000 tells more stories, FLOTILLA_SIM_FIRST=77 starts with another one. */
const FIRST = Number(process.env['FLOTILLA_SIM_FIRST'] ?? 1)
const SEEDS = Number(process.env['FLOTILLA_SIM_SEEDS'] ?? (process.env['FLOTILLA_SOAK'] === '1' ? 3000 : 60))

test(`${SEEDS} random stories of rollouts come to their end, and break no promise on the way`, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const { violations, trace } = await explore(seed)
    if (violations.length > 0) expect.fail(`seed ${seed}: ${violations.join('\n')}\n${trace.join('\n')}`)
  }
}, 3_600_000)
