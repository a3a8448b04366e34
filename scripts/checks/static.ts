import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { Tally } from './tally.ts'

interface Check {
  readonly name: string
  readonly tool: string
  readonly arguments: readonly string[]
}

/** Everything that is checked without running the code. */
const CHECKS: readonly Check[] = [
  { name: 'types', tool: 'tsc', arguments: ['-p', '.'] },
  { name: 'lint', tool: 'oxlint', arguments: ['--type-aware', '--deny-warnings', '.'] },
  { name: 'format', tool: 'oxfmt', arguments: ['--check', '.'] },
  { name: 'dead code', tool: 'knip', arguments: ['--no-progress'] },
]

/** Two at a time: they are threaded themselves, and the machines this runs on have few cores. */
export async function runStatic(root: string, tally: Tally): Promise<void> {
  const waiting = [...CHECKS]
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) await runOne(root, check, tally)
  }
  await Promise.all([worker(), worker()])
}

async function runOne(root: string, check: Check, tally: Tally): Promise<void> {
  const started = performance.now()
  const output = await run(root, check)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${output === undefined ? 'ok    ' : 'FAILED'} ${check.name} (${seconds} s)`)
  if (output === undefined) tally.passed++
  else {
    console.log(output)
    tally.failed.push(check.name)
  }
}

/** Undefined when the tool is content, otherwise what it says. */
async function run(root: string, check: Check): Promise<string | undefined> {
  const tool = join(root, 'node_modules/.bin', check.tool)
  const options = { cwd: root, maxBuffer: 64 * 1024 * 1024 }
  return new Promise((resolve) => {
    execFile(tool, check.arguments, options, (error, stdout, stderr) => {
      resolve(error === null ? undefined : `${stdout}${stderr}` || error.message)
    })
  })
}
