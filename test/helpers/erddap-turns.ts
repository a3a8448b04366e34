import { setTimeout as delay } from 'node:timers/promises'
import { silent } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { ErddapConfig } from '../../src/targets/erddap/config.ts'
import { erddapTarget } from '../../src/targets/erddap/target.ts'
import { type ReleaseParts, releaseOf } from './erddap-release.ts'

/** What this program is told, as JSON in its only argument. */
export interface Turns {
  readonly config: ErddapConfig
  readonly number: number
  readonly files: Readonly<Record<string, string>>
  readonly parts: ReleaseParts
}

/*
 * A program for tests that kill it: takes turns of an agent beside an ERDDAP until the release is served, then ends.
 */
const { config, number, files, parts } = JSON.parse(process.argv[2] ?? '') as Turns
const target = erddapTarget(config, { clock: systemClock, log: silent, node: 'alpha', values: new Map() })
const prepared = await target.prepare(releaseOf(number, files, parts))
for (;;) {
  const actual = await target.observe(prepared)
  const steps = target.plan(prepared, actual)
  for (const step of steps) await target.apply(step)
  if (steps.length > 0) continue
  if (target.report(prepared, actual).state === 'in-step') break
  await delay(15)
}
process.exit(0)
