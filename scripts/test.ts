/**
 * `npm test [-- [--only checks|tests] [FILTER ...]]`: everything that must hold, with a summary as the last line.
 * FILTER is part of a test file's path; with one, only tests run.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startVitest } from 'vitest/node'
import { runStatic } from './checks/static.ts'
import { counting, Tally } from './checks/tally.ts'

const root = join(import.meta.dirname, '..')
const ci = process.env['CI'] === 'true'
const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true })
const only = values.only ?? (positionals.length > 0 ? 'tests' : 'all')
if (!['all', 'checks', 'tests'].includes(only)) {
  console.error(`--only takes checks or tests, not ${only}`)
  process.exit(2)
}

const tally = new Tally()
if (only !== 'tests') await runStatic(root, tally)
if (only !== 'checks') {
  // Vitest marks a failure in process.exitCode; the tally decides, so that files that fail to load count too.
  const vitest = await startVitest('test', positionals, {
    root,
    run: true,
    watch: false,
    reporters: ['default', counting(tally)],
  })
  await vitest.close()
}
console.log(`\n${tally.summary()}`)
if (ci && tally.failed.length === 0 && !tally.ok(ci)) console.error('in CI nothing may be skipped')
process.exit(tally.ok(ci) ? 0 : 1)
