/**
 * `npm run soak [-- FILTER ...]`: the same tests at the large sizes (FLOTILLA_SOAK=1), hours where `npm test` takes
 * minutes. Writes what held, at which size and how long it took, to docs/soak.md.
 */
import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { startVitest, type TestCase } from 'vitest/node'
import { counting, Tally } from './checks/tally.ts'

process.env['FLOTILLA_SOAK'] = '1'
const root = join(import.meta.dirname, '..')
const filters = process.argv.slice(2)
const HOUR_MS = 3_600_000
const SLOW_MS = 5000

interface Long {
  readonly name: string
  readonly seconds: number
  readonly state: string
}

const long: Long[] = []
const tally = new Tally()
const remember = (test: TestCase): void => {
  const ms = test.diagnostic()?.duration ?? 0
  const name = `${test.module.relativeModuleId} > ${test.fullName}`
  if (ms >= SLOW_MS) long.push({ name, seconds: Math.round(ms / 1000), state: test.result().state })
}
const startedMs = Date.now()
const vitest = await startVitest('test', filters, {
  root,
  run: true,
  watch: false,
  testTimeout: 2 * HOUR_MS,
  hookTimeout: HOUR_MS,
  reporters: ['default', counting(tally), { onTestCaseResult: remember }],
})
await vitest.close()
writeFileSync(join(root, 'docs/soak.md'), page())
console.log(`\n${tally.summary()}`)
process.exit(tally.ok(process.env['CI'] === 'true') ? 0 : 1)

function page(): string {
  const minutes = Math.round((Date.now() - startedMs) / 60_000)
  const rows = long
    .toSorted((a, b) => b.seconds - a.seconds)
    .map(({ name, seconds, state }) => `| ${name.replaceAll('|', String.raw`\|`)} | ${seconds} s | ${state} |`)
  const which = filters.length === 0 ? 'All tests' : `The tests in files named \`${filters.join('`, `')}\``
  return `<!-- Written by \`npm run soak\`; do not edit. -->

# Soak

${which} at their large sizes (\`FLOTILLA_SOAK=1\`), on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB,
Node.js ${process.versions.node}, ${new Date(startedMs).toISOString().slice(0, 10)}, in ${minutes} min: ${tally.passed} passed, ${tally.failed.length} failed.

| test that took five seconds or more | time | result |
| --- | --- | --- |
${rows.join('\n')}
`
}
