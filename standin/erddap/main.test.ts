import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { parseOptions } from './options.ts'
import { remote, Sandbox } from './test-kit.ts'

function run(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('as a program it prints its URL on the first line, serves, and ends on SIGTERM', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'))
  const child = run(['--content-dir', box.contentDir, '--big-parent-dir', box.bigParentDir, '--poll-ms', '10'])
  const [url] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/erddap$/)
  expect(await (await fetch(`${url}/version`)).text()).toBe('ERDDAP_version=2.31\n')
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('as a program it says what is wrong with its options', async () => {
  const child = run(['--content-dir', '/tmp'])
  const [[text], [code]] = await Promise.all([once(child.stderr!, 'data'), once(child, 'exit')])
  expect(String(text)).toBe('--big-parent-dir is missing\n')
  expect(code).toBe(2)
})

test.each([
  ['--poll-ms', 'soon', '--poll-ms must be a number'],
  ['--misbehave', 'badly', '--misbehave must be one of none, hang'],
])('%s %s is refused', (option, value, why) => {
  expect(() => parseOptions(['--content-dir', 'a', '--big-parent-dir', 'b', option, value])).toThrow(why)
})
