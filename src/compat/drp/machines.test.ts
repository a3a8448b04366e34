import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../../test/helpers/hub.ts'
import type { Secret } from '../../lib/secret.ts'
import { drpFace } from './face.ts'

let hub: TestHub
let names = 0
let name = ''

beforeAll(async () => {
  hub = await openTestHub({ faces: [drpFace()] })
})
afterAll(() => hub.close())
beforeEach(() => {
  name = `m${++names}`
})

const ask = (method: string, path: string, json?: unknown, token: Secret | string = hub.admin) =>
  hub.ask(method, `/api/v3${path}`, { token, ...(json !== undefined && { json }) })
const valueOf = ({ text }: { text: string }): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
const op = (kind: string, path: string, value: unknown = null) => ({ op: kind, path, from: '', value })
const create = async (more: object = {}): Promise<string> =>
  String(valueOf(await ask('POST', '/machines', { Name: name, ...more }))['Uuid'])

describe('a machine', () => {
  it('has the members of the Go struct in their order, what is not named as it begins there', async () => {
    const made = await ask('POST', '/machines', { Name: name, Stage: '', Arch: '', Runnable: false, Params: null })
    expect(made.status).toBe(201)
    expect(Object.keys(valueOf(made)).join(' ')).toBe(
      'Validated Available Errors ReadOnly Meta Endpoint Bundle Partial Name Description Uuid CurrentJob Address Stage ' +
        'BootEnv Profiles Params Tasks CurrentTask RetryTaskAttempt TaskErrorStacks Runnable Secret OS HardwareAddrs ' +
        'Workflow Arch Locked Context Fingerprint Pool PoolAllocated PoolStatus WorkflowComplete',
    )
    expect(valueOf(made)).toMatchObject({ Name: name, Stage: 'none', Arch: 'amd64', Runnable: true, Params: {} })
    expect((await ask('POST', '/machines', { Name: name })).text).toContain('already exists')
  })

  it('is found by its UUID or its name, whichever way it got it', async () => {
    const given = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'
    expect(await create({ Uuid: given })).toBe(given)
    for (const key of [given, given.toUpperCase(), `Uuid:${given}`, `Name:${name}`]) {
      expect(valueOf(await ask('GET', `/machines/${key}`))).toMatchObject({ Name: name, Uuid: given })
    }
    expect((await ask('GET', `/machines/${name}`)).status).toBe(404)
    expect((await ask('PATCH', `/machines/${given}`, [op('replace', '/Uuid', 'other')])).status).toBe(422)
    expect((await ask('PATCH', `/machines/${given}`, [op('replace', '/Name', 'other')])).status).toBe(422)
  })

  it('is every node that joined, and shows what that shows', async () => {
    const token = await hub.node(name)
    const uuid = String(valueOf(await ask('GET', `/machines/Name:${name}`))['Uuid'])
    await hub.ask('POST', `/v1/nodes/${name}/meta`, { token, json: { icon: 'ship', percent: 40 } })
    const update = [
      op('add', '/Meta/color', 'purple'),
      op('test', '/Meta/icon', 'ship'),
      op('replace', '/Meta/icon', 'anchor'),
    ]
    const shown = await ask('PATCH', `/machines/${uuid}`, update, token)
    expect(valueOf(shown)['Meta']).toEqual({ color: 'purple', icon: 'anchor', percent: '40' })
    const meta = await hub.ask('GET', `/v1/nodes/${name}/meta`, { token: hub.admin })
    expect(valueOf(meta)['meta']).toMatchObject({ icon: 'anchor', color: 'purple', percent: 40 })
    expect((await ask('PATCH', `/meta/machines/${uuid}`, [op('add', '/role', 'x')], token)).text).toBe(
      '{"color":"purple","icon":"anchor","percent":"40","role":"x"}',
    )
    expect((await ask('DELETE', `/machines/${uuid}`)).status).toBe(409)
  })

  it('changes as one, all its parts or none', async () => {
    const uuid = await create()
    const patch = [
      op('add', '/Params/a', 1),
      op('add', '/Meta/icon', 'x'),
      op('replace', '/Workflow', 'w'),
      op('test', '/Locked', true),
    ]
    expect((await ask('PATCH', `/machines/${uuid}`, patch)).status).toBe(409)
    expect(valueOf(await ask('GET', `/machines/${uuid}`))).toMatchObject({ Params: {}, Meta: {}, Workflow: '' })
    expect(valueOf(await ask('PATCH', `/machines/${uuid}`, patch.slice(0, 3)))).toMatchObject({
      Params: { a: 1 },
      Meta: { icon: 'x' },
      Workflow: 'w',
    })
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        ask('PATCH', `/machines/${uuid}`, [op('test', '/Stage', 'none'), op('replace', '/Stage', `s${n}`)]),
      ),
    )
    expect(results.filter(({ status }) => status === 200)).toHaveLength(1)
    expect((await ask('DELETE', `/machines/${uuid}`)).status).toBe(200)
    expect((await ask('GET', `/machines/${uuid}`)).status).toBe(404)
  })

  it('has params of its own, then those of its profiles in order, the global ones and defaults', async () => {
    const uuid = await create({ Params: { a: 'own' } })
    for (const [profile, Params] of [
      [`${name}-near`, { a: 'near', b: 'near', list: [1] }],
      [`${name}-far`, { b: 'far', c: 'far', list: [2] }],
    ] as const) {
      await ask('POST', '/profiles', { Name: profile, Params })
    }
    await hub.ask('PUT', '/v1/params/d', { token: hub.admin, json: { default: 'default' } })
    const both = [`${name}-near`, `${name}-far`]
    const patch = [op('test', '/Profiles', []), op('replace', '/Profiles', both)]
    expect(valueOf(await ask('PATCH', `/machines/${uuid}`, patch))['Profiles']).toEqual(both)
    expect(valueOf(await ask('GET', `/machines/${uuid}/params?aggregate=true`))).toMatchObject({
      a: 'own',
      b: 'near',
      c: 'far',
      d: 'default',
    })
    expect((await ask('GET', `/machines/${uuid}/params/c`)).text).toBe('null')
    expect((await ask('GET', `/machines/${uuid}/params/c?aggregate=true`)).text).toBe('"far"')
    expect((await ask('GET', `/machines/${uuid}/params/list?aggregate=true&compose=true`)).text).toBe('[1,2]')
    const count = async (query: string): Promise<string | null> =>
      (await ask('HEAD', `/machines?Name=Eq(${name})&${query}`)).headers.get('x-drp-list-filter-count')
    expect(await count(`Profiles=Eq(${both[0]})&d=Eq(default)&c=Eq(far)&WorkflowComplete=Eq(false)`)).toBe('1')
    expect(await count('d=Eq(other)')).toBe('0')
  })
})

describe('authentication', () => {
  it('is a token of ours, as a bearer or as the password, whatever the name', async () => {
    const basic = `Basic ${Buffer.from(`rocketskates:${hub.admin.reveal()}`).toString('base64')}`
    const session = await hub.ask('GET', '/api/v3/users/rocketskates/token', { headers: { authorization: basic } })
    const { Token: token, Info } = valueOf(session)
    expect(Info).toMatchObject({ version: expect.stringMatching(/^v4\.8\.0/) as string })
    // It is as good as the one that opened the session, and there is no other one to look after.
    expect(token).toBe(hub.admin.reveal())
    expect((await ask('GET', '/info', undefined, String(token))).status).toBe(200)
    const bare = await hub.ask('GET', '/api/v3/info')
    expect([bare.status, bare.text, bare.headers.get('www-authenticate')]).toEqual([401, '', 'dr-provision'])
    const wrong = await ask('GET', '/info', undefined, 'wrong')
    expect([wrong.status, wrong.text]).toEqual([403, ''])
  })

  const token = async (query: string, by: Secret | string = hub.admin) => {
    const answer = await ask('GET', `/users/rocketskates/token?${query}`, undefined, by)
    return answer.status === 200 ? String(valueOf(answer)['Token']) : answer.status
  }

  it('is limited as was asked for, and never less (W13)', async () => {
    for (const each of [name, `${name}0`]) await ask('POST', '/profiles', { Name: each, Params: { a: 1, b: 1 } })
    const get = String(await token(`ttl=600&scope=profiles&action=get&specific=${name}`))
    expect((await ask('GET', `/profiles/${name}/params/a`, undefined, get)).text).toBe('1')
    expect((await ask('GET', `/profiles/${name}0`, undefined, get)).status).toBe(404)
    const refused = await ask('POST', `/profiles/${name}/params/a`, 2, get)
    expect([refused.status, refused.text]).toEqual([
      403,
      `{"Model":"","Key":"","Type":"AUTH","Messages":["Cannot access /api/v3/profiles/${name}/params/a",` +
        `"Requires: profiles update ${name}"],"Code":403}`,
    ])
    expect((await ask('POST', '/profiles', { Name: `${name}1` }, get)).status).toBe(403)
    expect((await ask('DELETE', `/profiles/${name}`, undefined, get)).status).toBe(403)
    const place = String(await token(`scope=profiles&action=get,update:/Params/a&specific=${name}`))
    expect((await ask('POST', `/profiles/${name}/params/a`, 2, place)).status).toBe(200)
    expect((await ask('POST', `/profiles/${name}/params/b`, 2, place)).status).toBe(403)
    const update = String(await token(`scope=profiles&action=get,update&specific=${name}`))
    expect((await ask('POST', `/profiles/${name}/params/b`, 2, update)).status).toBe(200)
    expect((await ask('DELETE', `/profiles/${name}`, undefined, update)).status).toBe(403)
    const none = String(await token('scope=info&action=get&specific=*'))
    expect([
      (await ask('GET', '/info', undefined, none)).status,
      (await ask('GET', `/profiles`, undefined, none)).text,
    ]).toEqual([200, '[]'])
  })

  it.for([
    'ttl=0',
    'ttl=-1',
    'ttl=100000',
    'ttl=soon',
    'ttl=600&roles=admin',
    'scope=subnets&action=get&specific=*',
    'scope=profiles&action=create&specific=x',
    'scope=profiles&action=update&specific=*',
    'scope=profiles&action=update:/Name&specific=x',
    'scope=profiles&action=fly&specific=x',
    'scope=machines&action=update&specific=*',
    'nonsense=1',
  ])('is refused for %s', async (query) => {
    expect(await token(query)).toBe(400)
  })

  it('is not for whoever may make no tokens, and ends with what it was made from', async () => {
    await ask('POST', '/profiles', { Name: name })
    const weak = await hub.token([`read:profile/${name}`])
    expect(await token('ttl=600', weak)).toBe(403)
    expect(await token('', weak)).toBe(weak.reveal())
    const strong = await hub.client.createToken({ label: 'x', scopes: ['write:token/', `read:profile/${name}`] })
    expect(await token('scope=profiles&action=get&specific=other', strong.token)).toBe(403)
    const one = String(await token('ttl=600', strong.token))
    const two = String(await token('ttl=600', one))
    expect((await ask('GET', `/profiles/${name}`, undefined, two)).status).toBe(200)
    await hub.client.revokeToken(strong.id)
    for (const each of [one, two]) expect((await ask('GET', '/info', undefined, each)).status).toBe(403)
  })

  it('shows and lets change only what it is for, in whole objects as well', async () => {
    await ask('POST', '/profiles', { Name: name, Params: { open: 1, 'hid/den': 'secret' } })
    const some = await hub.token([`read:profile/${name}/params/open`, `write:profile/${name}/params/open`])
    const object = await ask('GET', `/profiles/${name}`, undefined, some)
    expect(valueOf(object)['Params']).toEqual({ open: 1 })
    // A reference to all that it sees holds, and what it does not see stays as it is.
    const whole = [op('test', '', valueOf(object)), op('replace', '/Params/open', 2)]
    expect((await ask('PATCH', `/profiles/${name}`, whole, some)).status).toBe(200)
    expect((await ask('POST', `/profiles/${name}/params`, { open: 3 }, some)).text).toBe('{"open":3}')
    expect((await ask('PATCH', `/profiles/${name}/params`, [op('test', '/hid~1den', 'secret')], some)).status).toBe(409)
    expect((await ask('POST', `/profiles/${name}/params/hid/den`, 'x', some)).status).toBe(403)
    expect((await ask('GET', `/profiles/${name}/params`)).text).toBe('{"hid/den":"secret","open":3}')
  })

  it('of a node is for its own machine: not for its list of profiles, nor for the UUID of another', async () => {
    const own = await hub.node(name)
    const other = await hub.node(`${name}x`)
    const uuid = String(valueOf(await ask('GET', `/machines/Name:${name}`))['Uuid'])
    await ask('POST', '/profiles', { Name: `${name}-p`, Params: { k: 'v' } })
    const add = [op('test', '/Profiles', []), op('replace', '/Profiles', [`${name}-p`])]
    expect((await ask('PATCH', `/machines/${uuid}`, add, own)).status).toBe(403)
    expect((await ask('PATCH', `/machines/${uuid}`, add)).status).toBe(200)
    expect((await ask('GET', `/machines/${uuid}/params/k?aggregate=true`, undefined, own)).text).toBe('"v"')
    expect((await ask('GET', `/machines/${uuid}/params/k?aggregate=true`, undefined, other)).text).toBe('null')
    expect((await ask('POST', `/machines/${uuid}/params/k`, 1, other)).status).toBe(403)
    expect((await ask('PATCH', `/machines/${uuid}`, [op('add', '/Meta/icon', 'x')], other)).status).toBe(403)
    const raw = { changes: [{ op: 'put', key: `node/${name}x/machine`, value: JSON.stringify({ Uuid: uuid }) }] }
    expect((await hub.ask('POST', '/v1/store/commit', { token: other, json: raw })).status).toBe(403)
  })
})
