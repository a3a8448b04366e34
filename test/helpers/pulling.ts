import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Clock } from '../../src/core/clock.ts'
import type { FileSource } from '../../src/core/files/source.ts'
import { silent } from '../../src/core/log.ts'
import { select } from '../../src/core/sync/selection.ts'
import type { Summary } from '../../src/core/sync/summary.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { PullOptions } from '../../src/sync/options.ts'
import { Pull } from '../../src/sync/pull.ts'

export type Given = Partial<PullOptions>

/** Waits are a thousandth of what they would be. */
export const hastyClock: Clock = { ...systemClock, sleep: async (ms, signal) => systemClock.sleep(ms / 1000, signal) }

/** A sync of everything, closed when the test has finished. */
export function pull(source: FileSource | readonly FileSource[], to: string, given: Given = {}): Pull {
  const made = new Pull({
    sources: 'name' in source ? [source] : source,
    to,
    select: () => Promise.resolve(select()),
    name: 'test',
    clock: hastyClock,
    random: Math.random,
    log: silent,
    ...given,
  })
  onTestFinished(async () => made.close())
  return made
}

/** One round, as a process of its own would do it. */
export async function once(
  source: FileSource | readonly FileSource[],
  to: string,
  given: Given = {},
): Promise<Summary> {
  const one = pull(source, to, given)
  try {
    return await one.round(new AbortController().signal)
  } finally {
    await one.close()
  }
}

/** Path → content, of all but what is ours. */
export function contents(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !path.includes('.flotilla-'),
  )
  const files = paths.filter((path) => statSync(join(folder, path)).isFile()).toSorted()
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(folder, path), 'utf8')]))
}
