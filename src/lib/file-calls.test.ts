import { closeSync, openSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { localCalls, remoteCalls, setModified } from './file-calls.ts'

test.each([
  ['here', localCalls],
  ['on another machine', remoteCalls],
])('a file %s takes a time before 1970, and of one that no file system holds the nearest', async (_, calls) => {
  const path = join(temporaryFolder(), 'file')
  writeFileSync(path, 'x')
  const file = openSync(path, 'r+')
  try {
    for (const modifiedMs of [-1, -1500, -86_400_000, 0, 1_700_000_000_123]) {
      await setModified(file, modifiedMs, calls)
      expect(statSync(path).mtimeMs).toBeCloseTo(modifiedMs, 2)
    }
    await setModified(file, -8.64e15, calls)
    expect(statSync(path).mtimeMs).toBeLessThan(-1e9)
  } finally {
    closeSync(file)
  }
})
