import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { Processes } from './processes.ts'

const TALKS = 'setInterval(() => console.log("still here"), 20)'
const settled = { timeout: 15_000 }

test('programs go on when the folder of their logs is cleared away', async () => {
  const logs = temporaryFolder()
  const processes = new Processes('/', logs)
  let heard = 0
  processes.launch('talker', process.execPath, ['-e', TALKS], () => void heard++)
  try {
    await expect.poll(() => heard, settled).toBeGreaterThan(1)
    expect(readFileSync(join(logs, 'talker.log'), 'utf8')).toMatch(/^(?:still here\n)+$/)
    rmSync(logs, { recursive: true })
    const before = heard
    await expect.poll(() => heard, settled).toBeGreaterThan(before + 1)
  } finally {
    await processes.stopAll()
  }
})
