import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

test('every step of the quickstart holds, and it leaves nothing behind', { timeout: 240_000 }, async () => {
  const child = spawn(process.execPath, [join(ROOT, 'scripts/quickstart/main.ts'), '--exit'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const [code] = (await once(child, 'close')) as [number]
  expect(said).toMatch(/Every step held after \d+\.\d s/)
  expect(said).not.toContain('✗')
  expect(code).toBe(0)
})
