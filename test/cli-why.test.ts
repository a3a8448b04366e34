import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { remote } from '../standin/erddap/test-kit.ts'
import { startCliHub } from './helpers/cli-hub.ts'

test('why says what holds up a whole node, where the dataset itself has no problem', async () => {
  const hub = await startCliHub()
  onTestFinished(async () => await hub.close())
  mkdirSync(join(hub.folder, 'datasets.d'))
  writeFileSync(join(hub.folder, 'datasets.d', 'a.xml'), remote('alpha', 'Alpha'))
  expect(await hub.cli('datasets', 'release', 'datasets.d', '-m', 'first')).toMatchObject({ code: 0 })
  const error = { code: 'UNREACHABLE', message: 'ERDDAP does not answer', hint: 'Start it.' } as const
  await hub.node('erd1', { state: 'unproved', served: 0, error }, { alpha: 'unproved' })
  const { code, out } = await hub.cli('why', 'alpha')
  expect(code).toBe(3)
  expect(out).toMatch(/erd1 +\? unproved +ERDDAP does not answer\. Start it\./)
})
