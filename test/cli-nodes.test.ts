import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CliResult, runCli } from './helpers/cli.ts'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'

/** One command line for several servers: each is asked, each one's answer is told, and the exit code is the worst. */

const EXAMPLE = join(import.meta.dirname, '../examples/collection/datasets.d')
const GONE = 'http://127.0.0.1:9'
let one: CliHub
let two: CliHub

beforeAll(async () => {
  ;[one, two] = [await startCliHub(), await startCliHub()]
  for (const hub of [one, two]) await hub.cli('datasets', 'release', EXAMPLE, '-m', 'first')
  const file = (nodes: Record<string, [string, string]>): string =>
    Object.entries(nodes)
      .map(([name, [url, tokenFile]]) => `${name}: { url: '${url}', tokenFile: '${tokenFile}' }\n`)
      .join('')
  writeFileSync(join(one.folder, 'good.yaml'), file({ erd1: [one.url, one.tokenFile], erd2: [two.url, two.tokenFile] }))
  const bad = file({ erd1: [one.url, one.tokenFile], erd2: [two.url, one.tokenFile], erd3: [GONE, one.tokenFile] })
  writeFileSync(join(one.folder, 'bad.yaml'), bad)
}, 60_000)

afterAll(async () => {
  await one.close()
  await two.close()
})

const flotilla = (...argv: readonly string[]): Promise<CliResult> => runCli(argv, { cwd: one.folder })

test('each node of the file is asked', async () => {
  const { code, out, err } = await flotilla('--nodes-file', 'good.yaml', 'datasets', 'reload', 'coastBuoys')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(
    /^erd1: every node was asked to reload 1 dataset.*\nerd2: every node was asked to reload 1 dataset/,
  )
})

test('one is down and one has another token: both are told, and those who can do it', async () => {
  const { code, out, err } = await flotilla(
    '--nodes',
    'erd1,erd2,erd3',
    '--nodes-file',
    'bad.yaml',
    'datasets',
    'reload',
    'coastBuoys',
  )
  expect(code).toBe(6)
  expect(out).toMatch(/^erd1: every node was asked to reload 1 dataset \(soft\), revision \d+\n$/)
  expect(err).toMatch(/^erd2:\n {2}error: the token is wrong/)
  expect(err).toMatch(/\nerd3:\n {2}error: http:\/\/127\.0\.0\.1:9: nothing listens there/)
  expect(err).toMatch(/1 of 3 nodes ended with exit code 0; erd2 with 6, erd3 with 7\n$/)
})

test('with --json there is one object, with what each node said', async () => {
  const { code, out } = await flotilla('--nodes=erd1,erd3', '--nodes-file=bad.yaml', 'datasets', 'list', '--json')
  expect(code).toBe(7)
  expect(JSON.parse(out)).toMatchObject({
    kind: 'nodes',
    exitCode: 7,
    nodes: [
      {
        node: 'erd1',
        url: one.url,
        exitCode: 0,
        answer: { kind: 'datasets', items: expect.arrayContaining([expect.objectContaining({ id: 'coastBuoys' })]) },
      },
      { node: 'erd3', url: GONE, exitCode: 7, error: { kind: 'error', code: 'UNREACHABLE' } },
    ],
  })
})

test('what takes several lines is told below the name', async () => {
  const { code, out } = await flotilla('--nodes', 'erd2', '--nodes-file', 'good.yaml', 'status')
  expect(code).toBe(3)
  expect(out).toMatch(/^erd2:\n {2}NO NODES for r1\n/)
})

test('an address stands for itself, with the token of the environment', async () => {
  const env = { FLOTILLA_TOKEN_FILE: two.tokenFile }
  const { code, out } = await runCli(['--nodes', `${two.url}/`, 'datasets', 'list'], { cwd: one.folder, env })
  expect(code).toBe(0)
  expect(out).toContain(`${two.url}:\n  DATASET`)
})

test('the environment may name the file', async () => {
  const env = { FLOTILLA_NODES_FILE: join(one.folder, 'good.yaml') }
  const { code } = await runCli(['--nodes', 'erd1,erd2', 'token', 'whoami'], { cwd: '/', env })
  expect(code).toBe(0)
})

test.for([
  [['--nodes'], /--nodes needs a value/],
  [['--nodes='], /--nodes needs a value/],
  [['--nodes', ',', 'status'], /no node was named/],
  [['--nodes', 'erd9', '--nodes-file', 'good.yaml', 'status'], /there is no node "erd9"/],
  [['--nodes', 'erd1', 'status'], /there is no node "erd1"/],
  [['--nodes', 'erd1,erd1', '--nodes-file', 'good.yaml', 'status'], /is named twice/],
  [['--nodes-file', 'good.yaml', 'up'], /goes with a command that asks a hub/],
  [['--nodes-file', 'good.yaml', 'datasets'], /goes with a command that asks a hub/],
  [['--nodes-file', 'good.yaml'], /goes with a command that asks a hub/],
  [['--nodes-file', 'good.yaml', 'status', '--url', 'http://h'], /--url does not go with --nodes/],
  [['--nodes-file', 'good.yaml', 'status', '--token-file=x'], /--token-file does not go with --nodes/],
  [['--nodes-file', 'good.yaml', 'status', '--watch'], /--watch does not go with --nodes/],
  [['--nodes', 'http://user:canary@h', 'status'], /of the form http:/],
] as const)('%j is a usage error', async ([argv, message]) => {
  const { code, out, err } = await flotilla(...argv)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(message)
  expect(err).not.toContain('canary')
})

test('the nodes may be named behind the command as well', async () => {
  const before = await flotilla('--nodes', 'erd2', '--nodes-file', 'good.yaml', 'datasets', 'list')
  expect(before.code).toBe(0)
  expect(await flotilla('datasets', '--nodes=erd2', 'list', '--nodes-file', 'good.yaml')).toEqual(before)
  expect((await flotilla('datasets', 'list', '--nodes-file')).err).toContain('--nodes-file needs a value')
  expect((await flotilla('why', '--', '--nodes')).err).not.toContain('needs a value')
})

test('a usage error of the command itself is one, whichever the node', async () => {
  const { code, err } = await flotilla('--nodes-file', 'good.yaml', 'datasets', 'reload')
  expect(code).toBe(2)
  expect(err).toMatch(/erd1:\n {2}error: which datasets\?/)
})

test('help is that of the command', async () => {
  const { code, out } = await flotilla('--nodes', 'erd1', 'datasets', 'reload', '--help')
  expect(code).toBe(0)
  expect(out).toMatch(/^flotilla datasets reload:/)
})

test('a file that is not valid is told with its place', async () => {
  writeFileSync(join(one.folder, 'odd.yaml'), 'erd1:\n  url: http://h\n  token: x\n')
  const { code, err } = await flotilla('--nodes-file', 'odd.yaml', 'status')
  expect(code).toBe(2)
  expect(err).toMatch(/odd\.yaml/)
})

test('a token file that others can read is not used', async () => {
  const tokenFile = join(one.folder, 'open.token')
  writeFileSync(tokenFile, 'x', { mode: 0o644 })
  chmodSync(tokenFile, 0o644)
  writeFileSync(join(one.folder, 'open.yaml'), `erd1: { url: '${one.url}', tokenFile: open.token }\n`)
  const { code, err } = await flotilla('--nodes-file', 'open.yaml', 'status')
  expect(code).toBe(6)
  expect(err).toContain('others can read it')
})
