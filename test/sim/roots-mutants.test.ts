import { execFile } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import { ROOTS_MUTANTS } from './roots-mutants.ts'

const HOME = join(import.meta.dirname, '../..')
const run = promisify(execFile)

test('each fault that the simulation of several roots has to find can still be made', () => {
  for (const { name, file, from } of ROOTS_MUTANTS) {
    const places = readFileSync(join(HOME, file), 'utf8').split(from).length - 1
    expect([name, places]).toEqual([name, 1])
  }
})

/** Each runs a whole simulation: one shows that they are found, all of them that each is. */
const MUTANTS = process.env['FLOTILLA_SOAK'] === '1' ? ROOTS_MUTANTS : ROOTS_MUTANTS.slice(0, 1)

test.each(MUTANTS)(
  'it is found where $name',
  async ({ file, from, to, by = 'test/sim/roots.test.ts' }) => {
    const copy = temporaryFolder()
    for (const name of ['src', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
      cpSync(join(HOME, name), join(copy, name), { recursive: true })
    }
    symlinkSync(join(HOME, 'node_modules'), join(copy, 'node_modules'))
    const path = join(copy, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
    const { FLOTILLA_SOAK: _, ...env } = process.env
    const vitest = join(HOME, 'node_modules/vitest/vitest.mjs')
    const ran = run(process.execPath, [vitest, 'run', '--bail=1', by], { cwd: copy, env })
    await expect(ran).rejects.toMatchObject({ code: 1, stdout: expect.stringMatching(/Tests .*failed/s) })
  },
  300_000,
)
