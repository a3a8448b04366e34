import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'
import { needs } from './helpers/needs.ts'
import { selfSigned } from './helpers/self-signed.ts'

/* Digital Rebar's own command line against a hub, where it is there, and its cluster pattern in any case. */

const withClient = await needs({ ifThere: ['drpcli'], tools: ['openssl'] })
const MACHINES = 20
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'flotilla-drpcli-'))
let hub: CliHub
let secureUrl = ''

beforeAll(async () => {
  hub = await startCliHub()
})
afterAll(async () => {
  await hub.close()
  rmSync(folder, { recursive: true, force: true })
})

const admin = (): string => readFileSync(hub.tokenFile, 'utf8').trim()

async function ask(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${hub.url}/api/v3/${path}`, {
    method,
    headers: { authorization: `Bearer ${admin()}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await answer.json()) as Record<string, unknown>
}

interface Machine {
  readonly uuid: string
  /** Its credential, and a token of its own for the profile of the cluster. */
  readonly token: string
  readonly profileToken: string
}

/** Nodes that have a profile of a cluster in common, of which nobody leads yet. */
async function cluster(profile: string): Promise<readonly Machine[]> {
  await ask('POST', 'profiles', { Name: profile, Params: { 'my/leader': 'none', 'cluster-profile': profile } })
  const machines: Machine[] = []
  for (let n = 0; n < MACHINES; n++) {
    const node = `${profile}-${n}`
    const { code } = await hub.client.createJoinCode()
    const { token } = await hub.client.join({ code, node })
    const uuid = String((await fetchMachine(node))['Uuid'])
    await ask('PATCH', `machines/${uuid}`, [{ op: 'add', path: '/Profiles/-', value: profile }])
    const answer = await fetch(`${hub.url}/v1/profiles/${profile}/token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ verbs: ['read', 'write'] }),
    })
    const made = (await answer.json()) as { readonly token: string }
    machines.push({ uuid, token, profileToken: made.token })
  }
  return machines
}

async function fetchMachine(node: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${hub.url}/api/v3/machines/Name:${node}`, {
    headers: { authorization: `Bearer ${admin()}` },
  })
  return (await answer.json()) as Record<string, unknown>
}

async function outcome(profile: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${hub.url}/api/v3/profiles/${profile}/params`, {
    headers: { authorization: `Bearer ${admin()}` },
  })
  return (await answer.json()) as Record<string, unknown>
}

/** One won, all have finished and left their word, and what they say agrees. */
async function check(profile: string, machines: readonly Machine[], said: readonly string[]): Promise<void> {
  expect(said.filter((word) => word.trim() === 'won')).toHaveLength(1)
  expect(said.filter((word) => word.trim() === 'followed')).toHaveLength(MACHINES - 1)
  const winner = machines[said.findIndex((word) => word.trim() === 'won')]?.uuid
  const params = await outcome(profile)
  expect(params).toEqual({
    'cluster-profile': profile,
    'my/leader': winner,
    ...Object.fromEntries(machines.map(({ uuid }) => [`done/${uuid}`, uuid === winner])),
  })
}

/** That of Digital Rebar's documentation, where it compares with `none` without the quotes that its own helper prints. */
const PATTERN = `
get_param() { drpcli machines get "$RS_UUID" param "$1" --aggregate; }
won=false
cl=$(get_param "my/leader")
while [[ $cl = '"none"' ]]; do
  drpcli -r "$cl" -T "$PROFILE_TOKEN" profiles set "$CLUSTER_PROFILE" param "my/leader" to "$RS_UUID" >/dev/null 2>&1 &&
    won=true && break
  sleep 0.2
  cl=$(get_param "my/leader")
done
drpcli -T "$PROFILE_TOKEN" profiles set "$CLUSTER_PROFILE" param "done/$RS_UUID" to $won >/dev/null || exit 1
if $won; then echo won; else echo followed; fi
`

describe(`the cluster pattern on ${MACHINES} machines at once`, () => {
  it('has one leader, ends for all, and loses nothing, in the requests that the client makes', async () => {
    const machines = await cluster('alpha')
    const script = join(import.meta.dirname, 'helpers/drp-machine.ts')
    const said = await Promise.all(
      machines.map(async ({ uuid, token, profileToken }) => {
        const { stdout } = await run(process.execPath, [script, hub.url, token, uuid, profileToken, 'alpha'])
        return stdout
      }),
    )
    await check('alpha', machines, said)
  })

  withClient('has one leader, ends for all, and loses nothing, with the client itself', async () => {
    const machines = await cluster('beta')
    const said = await Promise.all(
      machines.map(async ({ uuid, token, profileToken }) => {
        const env = { RS_UUID: uuid, RS_TOKEN: token, PROFILE_TOKEN: profileToken, CLUSTER_PROFILE: 'beta' }
        const { stdout } = await run('bash', ['-c', PATTERN], {
          env: { ...process.env, ...env, RS_ENDPOINT: hub.url, HOME: folder },
        })
        return stdout
      }),
    )
    await check('beta', machines, said)
  })
})

describe('the client itself', () => {
  /** Over TLS, for `wait` forces that. */
  let secured: CliHub | undefined
  afterAll(async () => {
    await secured?.close()
  })

  async function drpcli(...argv: readonly string[]) {
    if (secured === undefined) {
      const { key, certificate } = selfSigned(folder)
      secured = await startCliHub({ drp: { listen: { host: '127.0.0.1', port: 0 }, certificate, key } })
      secureUrl = secured.drpUrl ?? ''
    }
    const env = {
      ...process.env,
      RS_ENDPOINT: secureUrl,
      RS_TOKEN: readFileSync(secured.tokenFile, 'utf8').trim(),
      HOME: folder,
    }
    try {
      const { stdout } = await run('drpcli', [...argv], { env })
      return { code: 0, out: stdout.trim(), err: '' }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, out: stdout.trim(), err: stderr.trim() }
    }
  }
  const isDone = (out: string) => ({ code: 0, out, err: '' })
  const failed = (err: string) => ({ code: 1, out: '', err })

  withClient('says what it says to its own server, with the same exit codes', async () => {
    await drpcli('profiles', 'create', '{"Name":"p","Params":{"my/leader":"none"}}')
    expect(await drpcli('profiles', 'create', 'p')).toEqual(failed('Error: CREATE: profiles/p: already exists'))
    expect(await drpcli('profiles', 'show', 'nope')).toEqual(failed('Error: GET: profiles/nope: Not Found'))
    expect(await drpcli('profiles', 'exists', 'p')).toEqual(isDone(''))
    expect(await drpcli('profiles', 'exists', 'nope')).toEqual(failed('Error: profiles:nope does not exist'))
    const set = ['profiles', 'set', 'p', 'param', 'my/leader', 'to'] as const
    expect(await drpcli('-r', 'none', ...set, 'a')).toEqual(isDone('"a"'))
    expect(await drpcli('-r', 'none', ...set, 'b')).toEqual(
      failed('Error: PATCH: profiles/p\n  Patch failed to apply at line 0\n  Test op failed.'),
    )
    expect(await drpcli('profiles', 'get', 'p', 'param', 'my/leader')).toEqual(isDone('"a"'))
    expect(await drpcli('profiles', 'get', 'p', 'param', 'none')).toEqual(isDone('null'))
    expect(await drpcli('profiles', 'add', 'p', 'param', 'x/y', 'to', '7')).toEqual(isDone('7'))
    expect(await drpcli('profiles', 'add', 'p', 'param', 'x/y', 'to', '8')).toEqual(
      failed('Error: Key, x/y, already present on profile p'),
    )
    expect(await drpcli('profiles', 'remove', 'p', 'param', 'x/y')).toEqual(isDone('7'))
    expect(await drpcli('profiles', 'remove', 'p', 'param', 'x/y')).toEqual(
      failed('Error: DELETE: params/x/y: Not Found'),
    )
    const { out: whole } = await drpcli('profiles', 'show', 'p')
    expect((await drpcli('-r', whole, 'profiles', 'update', 'p', '{"Description":"d"}')).code).toBe(0)
    expect((await drpcli('-r', whole, 'profiles', 'update', 'p', '{"Description":"e"}')).err).toContain(
      'Patch error at line 0: Test op failed.',
    )
    expect(await drpcli('profiles', 'wait', 'p', 'Description', 'd', '20')).toEqual(isDone('complete'))
    expect(await drpcli('profiles', 'wait', 'p', 'Description', 'never', '1')).toEqual(isDone('timeout'))
    const waiting = drpcli('profiles', 'wait', 'p', 'Description', 'later', '60')
    expect((await drpcli('profiles', 'update', 'p', '{"Description":"later"}')).code).toBe(0)
    expect(await waiting).toEqual(isDone('complete'))
    expect(await drpcli('profiles', 'destroy', 'p')).toEqual(isDone('Deleted profile p'))
  })

  withClient('shows machines, and changes them', async () => {
    const { out } = await drpcli('machines', 'create', 'm1')
    const { Uuid: uuid } = JSON.parse(out) as { readonly Uuid: string }
    const update = await drpcli('machines', 'update', uuid, '{"Meta":{"color":"purple","icon":"anchor"}}')
    expect(JSON.parse(update.out)).toMatchObject({ Name: 'm1', Meta: { color: 'purple', icon: 'anchor' } })
    await drpcli('profiles', 'create', '{"Name":"q","Params":{"k":"v"}}')
    expect((await drpcli('machines', 'addprofile', uuid, 'q')).code).toBe(0)
    expect(await drpcli('machines', 'get', uuid, 'param', 'k', '--aggregate')).toEqual(isDone('"v"'))
    expect(await drpcli('machines', 'count', 'Profiles', 'Eq', 'q', 'WorkflowComplete', 'Eq', 'false')).toEqual(
      isDone('1'),
    )
    expect(await drpcli('machines', 'meta', 'set', uuid, 'key', 'color', 'to', 'yellow')).toEqual(isDone('"yellow"'))
    const { out: whole } = await drpcli('machines', 'show', 'Name:m1')
    expect((await drpcli('-r', whole, 'machines', 'update', uuid, '{"Description":"d"}')).code).toBe(0)
    expect(await drpcli('machines', 'wait', uuid, 'Description', 'd', '20')).toEqual(isDone('complete'))
    const { out: token } = await drpcli(
      'users',
      'token',
      'rocketskates',
      'ttl',
      '600',
      'scope',
      'profiles',
      'action',
      'get',
      'specific',
      'q',
    )
    const { Token: narrow } = JSON.parse(token) as { readonly Token: string }
    expect(await drpcli('-T', narrow, 'profiles', 'get', 'q', 'param', 'k')).toEqual(isDone('"v"'))
    expect((await drpcli('-T', narrow, 'profiles', 'create', 'r')).err).toContain('Requires: profiles create r')
  })
})
