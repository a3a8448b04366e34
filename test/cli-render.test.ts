import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { agentSchema } from '../src/config/agent.ts'
import { runAgent } from '../src/app/agent.ts'
import { silent } from '../src/core/log.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'
import { runCli } from './helpers/cli.ts'

/** `flotilla render`, and an agent that keeps rendered files, against a hub with its profiles. */

let hub: CliHub
const folder = (): string => hub.folder

beforeAll(async () => {
  hub = await startCliHub()
  await put('web', { 'web/members': ['n1', 'n2'], 'web/title': `it's "$(id)"` })
  writeFileSync(join(folder(), 'members.conf.tmpl'), '{{ for m in param "web/members" }}member {{ m }}\n{{ end }}')
  writeFileSync(join(folder(), 'run.sh'), 'title={{ param "web/title" }}\nprintf %s "$title"\n')
}, 60_000)

afterAll(async () => await hub.close())

async function api(method: string, path: string, body: object): Promise<void> {
  const answer = await fetch(`${hub.url}/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${readFileSync(hub.tokenFile, 'utf8').trim()}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  })
  expect(answer.ok, await answer.text()).toBe(true)
}

const put = async (name: string, params: object, more: object = {}): Promise<void> =>
  await api('PUT', `profiles/${name}`, { params, ...more })

test('renders to the standard output, a script with its values quoted', async () => {
  expect(await hub.cli('render', 'members.conf.tmpl', '--profile', 'web')).toEqual({
    code: 0,
    out: 'member n1\nmember n2\n',
    err: '',
  })
  expect((await hub.cli('render', 'run.sh', '--profile', 'web')).out).toContain(`title='it'\\''s "$(id)"'\n`)
  expect(JSON.parse((await hub.cli('render', 'members.conf.tmpl', '--profile', 'web', '--json')).out)).toEqual({
    kind: 'render',
    text: 'member n1\nmember n2\n',
  })
})

test('a missing value ends with 4 and names template, line and param', async () => {
  const { code, out, err } = await hub.cli('render', 'members.conf.tmpl')
  expect({ code, out }).toEqual({ code: 4, out: '' })
  expect(err).toContain('the param "web/members" has no value')
  expect(err).toContain('members.conf.tmpl:1:')
})

test('renders to a file once; a check that fails leaves the file, and says why', async () => {
  const line = ['render', 'members.conf.tmpl', '--profile', 'web', '--to', 'members.conf', '--mode', '0640']
  expect((await hub.cli(...line)).out).toBe(`rendered ${join(folder(), 'members.conf')}\n`)
  expect((await hub.cli(...line)).out).toBe(`unchanged ${join(folder(), 'members.conf')}\n`)
  expect(statSync(join(folder(), 'members.conf')).mode & 0o777).toBe(0o640)
  const other = ['render', 'run.sh', '--profile', 'web', '--to', 'members.conf']
  const failed = await hub.cli(...other, '--check', 'grep -q nothing-of-this {}')
  expect(failed.code).toBe(4)
  expect(failed.err).toContain('grep ended with 1')
  expect(readFileSync(join(folder(), 'members.conf'), 'utf8')).toBe('member n1\nmember n2\n')
  const checked = await hub.cli(...other, '--check', 'bash -n {}', '--after', 'touch ran')
  expect(checked.code).toBe(0)
})

test('with --watch it follows the profile and the template until it is stopped', async () => {
  const stop = new AbortController()
  const path = join(folder(), 'watched')
  writeFileSync(join(folder(), 'w.tmpl'), '{{ param "v" }}')
  await put('watched', { v: 1 })
  const running = runCli(['render', 'w.tmpl', '--profile', 'watched', '--to', 'watched', '--watch'], {
    cwd: folder(),
    env: { FLOTILLA_URL: hub.url, FLOTILLA_TOKEN_FILE: hub.tokenFile },
    signal: stop.signal,
  })
  const holds = async (text: string): Promise<void> =>
    await vi.waitFor(() => expect(existsSync(path) && readFileSync(path, 'utf8')).toBe(text), { timeout: 15_000 })
  await holds('1')
  await put('watched', { v: 2 })
  await holds('2')
  writeFileSync(join(folder(), 'w.tmpl'), 'v={{ param "v" }}')
  await holds('v=2')
  await put('watched', {})
  await put('watched', { v: 3 })
  await holds('v=3')
  stop.abort()
  expect((await running).code).toBe(0)
})

test(
  'an agent keeps files, with a token of its own in them, and tells what it cannot make',
  { timeout: 60_000 },
  async () => {
    const state = join(folder(), 'node')
    mkdirSync(join(state, 'out'), { recursive: true })
    const { code } = await hub.client.createJoinCode()
    const { token } = await hub.client.join({ code, node: 'n1' })
    const credential = join(state, 'credential')
    const scopes = ['read:profile/web']
    const reader = await hub.client.createToken({ label: 'templates', scopes, ttlMs: 3_600_000 })
    const tokenFile = join(state, 'reader')
    await put('node.n1', {}, { profiles: ['web'] })
    for (const [file, text] of [
      [credential, token],
      [tokenFile, reader.token],
    ] as const) {
      writeFileSync(file, text)
      chmodSync(file, 0o600)
    }
    writeFileSync(join(state, 'env.tmpl'), '{{ node.name }} {{ generateProfileToken "web" 600 "web/members" }}\n')
    const config = agentSchema.parse({
      node: 'n1',
      hub: hub.url,
      state,
      credentialFile: credential,
      templates: {
        members: { from: '../members.conf.tmpl', to: 'out/members', profiles: ['web'], tokenFile },
        env: { from: 'env.tmpl', to: 'out/env' },
        given: { from: '../members.conf.tmpl', to: 'out/given' },
      },
    })
    const stop = new AbortController()
    const running = runAgent(config, { clock: systemClock, log: silent, signal: stop.signal, base: state })
    const read = (name: string): string => readFileSync(join(state, 'out', name), 'utf8')
    await vi.waitFor(() => expect(read('members')).toBe('member n1\nmember n2\n'), { timeout: 15_000 })
    await vi.waitFor(() => expect(read('given')).toBe('member n1\nmember n2\n'), { timeout: 15_000 })
    await vi.waitFor(() => expect(read('env')).toMatch(/^n1 flt_\S+\n$/), { timeout: 15_000 })
    expect(statSync(join(state, 'out/env')).mode & 0o777).toBe(0o600)
    const minted = read('env').trim().split(' ')[1] ?? ''
    const asked = await fetch(`${hub.url}/v1/profiles/web/params/${encodeURIComponent('web/members')}`, {
      headers: { authorization: `Bearer ${minted}` },
    })
    expect(await asked.json()).toMatchObject({ value: ['n1', 'n2'] })
    await vi.waitFor(async () => expect((await hub.cli('status')).out).toContain('IN STEP rendered files, 1/1 nodes'), {
      timeout: 15_000,
    })

    await put('web', { 'web/members': ['n3'] })
    await vi.waitFor(() => expect(read('members')).toBe('member n3\n'), { timeout: 15_000 })
    await vi.waitFor(() => expect(read('given')).toBe('member n3\n'), { timeout: 15_000 })
    await put('web', {})
    const path = join(state, 'out/members')
    await vi.waitFor(async () => expect((await hub.cli('status')).code).toBe(3), { timeout: 15_000 })
    const status = await hub.cli('status')
    expect(status.out).toContain(`NOT IN STEP rendered files, 0/1 nodes have them; n1: ${path}: members.conf.tmpl:1:`)
    const why = await hub.cli('why', path)
    expect(why.code).toBe(3)
    expect(why.out).toContain('the param "web/members" has no value')
    expect((await hub.cli('doctor')).out).toContain('the param "web/members" has no value')
    expect(read('members')).toBe('member n3\n')
    expect(status.out + why.out).not.toContain(minted)
    await put('web', { 'web/members': ['n4'] })
    await vi.waitFor(() => expect(read('members')).toBe('member n4\n'), { timeout: 15_000 })
    stop.abort()
    await running
  },
)

test.for<[string, object, string]>([
  ['a check that is not given the file', { check: ['nginx', '-t'] }, 'needs "{}"'],
  ['a mode that is none', { mode: '999' }, 'octal'],
  ['profiles that the node may not read', { profiles: ['web'] }, 'needs `tokenFile`'],
  ['an unknown setting', { exec: ['x'] }, 'exec'],
])('a configuration with %s is refused', ([, settings, message]) => {
  const templates = { a: { from: 'a', to: 'b', ...settings } }
  const { error } = agentSchema.safeParse({ node: 'n1', hub: 'http://127.0.0.1:1', templates })
  expect(JSON.stringify(error?.issues)).toContain(message.replaceAll('"', String.raw`\"`))
})
