import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { expect, test } from 'vitest'
import config from '../vitest.config.ts'
import { temporaryFolder } from './helpers/folder.ts'

/** Tests of what the tests stand on. */

const ROOT = join(import.meta.dirname, '..')

interface Project {
  readonly test: { readonly name: string; readonly include: readonly string[] }
}

test('every test file belongs to exactly one project, so that it runs, and once', () => {
  const projects = (config.test?.projects ?? []) as unknown as readonly Project[]
  const files = globSync('{src,test,scripts,bench,standin}/**/*.test.ts', { cwd: ROOT })
  expect(files.length).toBeGreaterThan(50)
  const wrong = files.filter(
    (file) => projects.filter((project) => project.test.include.some((glob) => matchesGlob(file, glob))).length !== 1,
  )
  expect(wrong).toEqual([])
})

/** Runs a test file that needs fixtures where there are none. */
function withoutFixtures(env: Readonly<Record<string, string>>): {
  readonly code: number | null
  readonly text: string
} {
  const needs = join(ROOT, 'test/helpers/needs.ts')
  const body = `import { needs } from ${JSON.stringify(needs)}\nconst test = await needs({ fixtures: true })\ntest('reads them', () => {})\n`
  const cwd = temporaryFolder({ 'a.test.ts': body })
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', '--root', cwd, '--reporter=verbose'], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', CI: '', FLOTILLA_FIXTURES: join(cwd, 'nowhere'), ...env },
  })
  return { code: status, text: stdout + stderr }
}

test('a test whose need is missing is skipped by name, with the reason', () => {
  const { code, text } = withoutFixtures({})
  expect(text).toMatch(/↓ .*reads them.* \[the fixtures are not at .*nowhere\]/)
  expect(code).toBe(0)
})

test('in CI it fails instead', () => {
  const { code, text } = withoutFixtures({ CI: 'true' })
  expect(text).toContain('in CI nothing may be skipped: the fixtures are not at')
  expect(code).toBe(1)
})
