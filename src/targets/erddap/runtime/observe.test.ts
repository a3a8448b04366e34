import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../../../test/helpers/folder.ts'
import { NO_LOG } from './load-log.ts'
import { readLog } from './observe.ts'

describe('log.txt', () => {
  test.for([
    ['is not there', () => undefined],
    ['is a folder', (path: string) => mkdirSync(path)],
    ['is a pipe that nobody writes into', (path: string) => execFileSync('mkfifo', [path])],
    ['is a link to itself', (path: string) => symlinkSync(path, path)],
  ] as const)('that %s tells nothing, and holds nothing up', async ([, make]) => {
    const bpd = temporaryFolder()
    mkdirSync(join(bpd, 'logs'))
    make(join(bpd, 'logs', 'log.txt'))
    expect(await readLog(bpd)).toEqual(NO_LOG)
  })
})
