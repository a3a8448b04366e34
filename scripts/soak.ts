/**
 * `npm run soak [-- FILTER ...]`: the same tests at the large sizes (FLOTILLA_SOAK=1), hours where `npm test` takes
 * minutes. Writes what held and how long it took to docs/soak.md; what another run says of other tests stays.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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
  /** With what the test has to say of itself. */
  readonly result: string
}

const long: Long[] = []
const tally = new Tally()
const remember = (test: TestCase): void => {
  const ms = test.diagnostic()?.duration ?? 0
  const name = `${test.module.relativeModuleId} > ${test.fullName}`
  const notes = test.annotations().map(({ message }) => message.replaceAll(/\s+/g, ' '))
  const result = [test.result().state, ...notes].join(': ').replaceAll('|', String.raw`\|`)
  if (ms >= SLOW_MS) long.push({ name, seconds: Math.round(ms / 1000), result })
}
const startedMs = Date.now()
const vitest = await startVitest('test', filters, {
  root,
  run: true,
  watch: false,
  testTimeout: 2 * HOUR_MS,
  reporters: ['default', counting(tally), { onTestCaseResult: remember }],
})
await vitest.close()
const file = join(root, 'docs/soak.md')
writeFileSync(file, page(existsSync(file) ? readFileSync(file, 'utf8') : ''))
console.log(`\n${tally.summary()}`)
process.exit(tally.ok(process.env['CI'] === 'true') ? 0 : 1)

function page(before: string): string {
  const day = new Date(startedMs).toISOString().slice(0, 10)
  const ran = new Map<string, { seconds: number; line: string }>()
  for (const [line, name = '', seconds = ''] of before.matchAll(/^\| (test\/.+?|src\/.+?) \| (\d+) s \|.*$/gm))
    ran.set(name, { seconds: Number(seconds), line })
  for (const { name, seconds, result } of long) {
    const cell = name.replaceAll('|', String.raw`\|`)
    ran.set(cell, { seconds, line: `| ${cell} | ${seconds} s | ${result} | ${day} |` })
  }
  const rows = [...ran.values()].toSorted((a, b) => b.seconds - a.seconds).map(({ line }) => line)
  return `<!-- Written by \`npm run soak\`; do not edit. -->

# Soak

Tests at their large sizes (\`FLOTILLA_SOAK=1\`), on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB,
Node.js ${process.versions.node}. Those that took five seconds or more, each with the day of its last run.

| test | time | result | day |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}
