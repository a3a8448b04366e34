import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { isoSeconds } from '../../fileserver/listing/elements.ts'
import { httpDate } from '../../fileserver/object-headers.ts'
import { toStat } from '../index/folder.ts'
import { statOf } from './file-stat.ts'

test.each([
  [1e300, '9999-12-31T23:59:59.000Z'],
  [8.64e15 + 1, '9999-12-31T23:59:59.000Z'],
  [-1e16, '0000-01-01T00:00:00.000Z'],
  [1_700_000_000_123.456, '2023-11-14T22:13:20.000Z'],
])('a file that was changed %d ms after 1970 can be listed', (mtimeMs, text) => {
  const path = join(temporaryFolder(), 'file')
  writeFileSync(path, 'x')
  const stats = Object.assign(statSync(path), { mtimeMs })
  for (const { modifiedMs } of [statOf(stats), toStat(stats)]) {
    expect(isoSeconds(modifiedMs)).toBe(text)
    expect(httpDate(modifiedMs)).toMatch(/^\w{3}, \d\d \w{3} \d{4} /)
    expect(new Date(modifiedMs).toISOString().slice(0, 19)).toBe(text.slice(0, 19))
  }
})
