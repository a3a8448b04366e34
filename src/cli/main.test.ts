import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCli } from '../../test/helpers/cli.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { COMMANDS } from './commands.ts'

test('without a command, with help and with --help it prints every command', async () => {
  for (const argv of [[], ['help'], ['--help'], ['-h']]) {
    const { code, out } = await runCli(argv)
    expect(code).toBe(0)
    for (const { name, summary } of COMMANDS) {
      expect(out).toContain(`  ${name} `)
      expect(out).toContain(summary)
    }
  }
})

test('every command has a help with its form, its options and an example that starts with its name', async () => {
  for (const { name } of COMMANDS) {
    const { code, out } = await runCli([...name.split(' '), '--help'])
    expect(code, name).toBe(0)
    expect(out).toContain(`usage: flotilla ${name}`)
    expect(out).toContain('--help')
    expect(out).toContain(`flotilla ${name}`)
    expect(
      out.split('\n').every((line) => line.length <= 120),
      name,
    ).toBe(true)
  }
})

test('`help COMMAND` is the same as `COMMAND --help`', async () => {
  expect((await runCli(['help', 'datasets', 'check'])).out).toBe((await runCli(['datasets', 'check', '--help'])).out)
})

test('the help of a command names the commands below it', async () => {
  expect((await runCli(['rollout', '--help'])).out).toMatch(/^commands:\n {2}rollout pause {3}change no further/m)
  expect((await runCli(['drain', '--help'])).out).not.toContain('commands:')
})

test('a state folder that cannot be looked into is not said to be none', async () => {
  const folder = temporaryFolder()
  symlinkSync('loop', join(folder, 'loop'))
  const look = (state: string) => runCli(['proxy', 'check', '--state', join(folder, state)])
  expect((await look('gone')).err).toContain('is not the state folder of a node')
  expect(await look('loop')).toMatchObject({ code: 1, err: expect.not.stringContaining('Join first') as string })
})

test('proxy explain refuses what no proxy would take', async () => {
  for (const url of ['', '/x/%zz', '/../x']) {
    const refused = await runCli(['proxy', 'explain', url, '--rule', 'path:/x'])
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('no URL that a proxy takes') as string })
  }
})

test('a rule that is none is refused with its own text', async () => {
  const { code, err } = await runCli(['proxy', 'explain', '/x', '--rule', 'path:/x', '--rule', 'foo:/x'])
  expect({ code, err }).toEqual({
    code: 2,
    err: expect.stringContaining('--rule foo:/x: takes erddap:/erddap,') as string,
  })
})

test('--version is the version command', async () => {
  expect((await runCli(['--version'])).out).toMatch(/^flotilla \d+\.\d+\.\d+/)
  expect((await runCli(['-V'])).out).toBe((await runCli(['version'])).out)
})

test('a group without its command prints the commands of the group', async () => {
  const { code, out } = await runCli(['token'])
  expect(code).toBe(2)
  expect(out).toContain('token create')
  expect(out).not.toContain('datasets check')
  expect((await runCli(['token', '--help'])).code).toBe(0)
})

test.for([
  [['statsu'], 'no command "statsu"', 'Did you mean "status"?'],
  [['datasets', 'chek', 'x'], 'no command "datasets chek"', 'Did you mean "datasets check"?'],
  [['dataset'], 'no command "dataset"', 'Did you mean "datasets"?'],
  [['datasets', 'block', 'ip'], 'no command "datasets block"', 'Did you mean "block ip"?'],
  [['datasets', 'block'], 'no command "datasets block"', 'Did you mean "block"?'],
  [['xyzzy'], 'no command "xyzzy"', 'flotilla --help'],
  [['--hlep'], 'no option --hlep', 'flotilla --help'],
  [['datasets', 'check'], 'DIR is missing', 'flotilla datasets check --help'],
  [['datasets', 'check', 'a', 'b'], '"b" is one argument too many', 'flotilla datasets check --help'],
  [['datasets', 'check', 'a', '--heer'], 'no option --heer', 'Did you mean "--here"?'],
  [['datasets', 'compile', '--to', 'x'], '--from is required', 'Add --from DIR'],
  [['datasets', 'compile', '--to'], '--to needs a value', 'flotilla datasets compile --help'],
  [['datasets', 'release', 'd', '-m'], '--message needs a value', 'flotilla datasets release --help'],
  [['datasets', 'release', 'd', '-m', ''], '--message is required', 'Add --message TEXT'],
  [['datasets', 'release', 'd', '-m', '--wait'], 'needs a value', 'write -m=VALUE'],
  [['datasets', 'reload', 'a', '--flag', 'sfot'], '--flag takes soft, bad-files, hard', 'Did you mean "soft"?'],
  [['status', '--json=yes'], '--json takes no value', 'flotilla status --help'],
  [['completion', 'bahs'], 'no completion for "bahs"', 'Did you mean "bash"?'],
] as const)('a usage error exits 2 and says what to do: %s', async ([argv, message, hint]) => {
  const { code, out, err } = await runCli(argv)
  expect(code).toBe(2)
  expect(out).toBe('')
  expect(err).toContain(message)
  expect(err).toContain(hint)
  expect(err).toContain('docs/reference/errors.md#USAGE')
  expect(err).not.toMatch(/^\s+at .*\.ts:/m)
})

test('with --json a usage error is one object too', async () => {
  const { code, out, err } = await runCli(['status', '--json', '--tere', 'x'])
  expect(code).toBe(2)
  expect(out).toBe('')
  expect(JSON.parse(err)).toMatchObject({ kind: 'error', code: 'USAGE', message: 'there is no option --tere' })
})

test('words after -- are arguments, also when they look like options', async () => {
  const { err } = await runCli(['datasets', 'check', '--', '--help'])
  expect(err).not.toContain('usage:')
})
