import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../../test/helpers/folder.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { silent } from '../../../core/log.ts'
import { removeOldLogs } from './keep-logs.ts'

const DAY_S = 86_400

test('removes what ERDDAP has put aside and is old enough, and nothing else', async () => {
  const root = temporaryFolder()
  const logs = join(root, 'logs')
  mkdirSync(logs)
  const names = [
    'logPreviousArchivedAt2026-01-01T00:00:00.txt',
    'logArchivedAt2026-01-01.txt',
    'emailLog2026-01-01.txt',
  ]
  const staying = ['log.txt', 'logPrevious.txt', 'notemailLog.txt', 'emailLog evil.txt', 'my.txt']
  const outside = join(root, 'emailLogOutside.txt')
  for (const path of [outside, ...[...names, ...staying].map((name) => join(logs, name))]) {
    writeFileSync(path, 'x')
    utimesSync(path, Date.now() / 1000 - 40 * DAY_S, Date.now() / 1000 - 40 * DAY_S)
  }
  writeFileSync(join(logs, 'emailLog2026-11-21.txt'), 'today')
  symlinkSync(outside, join(logs, 'emailLogLink.txt'))
  mkdirSync(join(logs, 'logArchivedAtFolder'))
  const options = { bigParentDirectory: root, retentionDays: 31, clock: systemClock, log: silent }
  const removed = await removeOldLogs(options)
  expect(removed.toSorted()).toEqual(names.toSorted())
  expect(readdirSync(logs)).toEqual(
    expect.arrayContaining(['log.txt', 'logPrevious.txt', 'emailLog2026-11-21.txt', 'emailLogLink.txt', 'my.txt']),
  )
  expect(readdirSync(root)).toContain('emailLogOutside.txt')
  expect(await removeOldLogs(options)).toEqual([])
  expect(await removeOldLogs({ ...options, bigParentDirectory: '/nonexistent' })).toEqual([])
})
