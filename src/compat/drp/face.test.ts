import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../../test/helpers/hub.ts'
import type { Secret } from '../../lib/secret.ts'
import { drpFace } from './face.ts'

/* Requests and answers as Digital Rebar's own command line (4.8) and server have them on the wire. */

let hub: TestHub
let names = 0
let name = ''

beforeAll(async () => {
  hub = await openTestHub({ faces: [drpFace()] })
})
afterAll(() => hub.close())
beforeEach(() => {
  name = `example${++names}`
})

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

const ask = (method: string, path: string, json?: unknown, token: Secret | string = hub.admin): Promise<Answer> =>
  hub.ask(method, `/api/v3${path}`, { token, ...(json !== undefined && { json }) })

const create = (more: object = {}): Promise<Answer> => ask('POST', '/profiles', { Name: name, ...more })
const errorOf = ({ status, text }: Answer): unknown => [status, JSON.parse(text)]
const valueOf = ({ text }: Answer): unknown => JSON.parse(text)
/** As the client writes operations: every one has all four members. */
const op = (kind: string, path: string, value: unknown = null) => ({ op: kind, path, from: '', value })

describe('a profile', () => {
  it('has the members of the Go struct, in their order, and maps sorted', async () => {
    const answer = await create({
      Params: { b: 1, a: { d: 1, c: 2 } },
      Meta: { icon: 'x', color: 'y' },
      Profiles: null,
    })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(answer.text).toBe(
      '{"Validated":true,"Available":true,"Errors":[],"ReadOnly":false,"Meta":{"color":"y","icon":"x"},' +
        `"Endpoint":"","Bundle":"","Partial":false,"Name":"${name}","Description":"","Documentation":"",` +
        '"Params":{"a":{"c":2,"d":1},"b":1},"Profiles":[]}',
    )
    expect((await ask('GET', `/profiles/${name}`)).text).toBe(answer.text)
    expect((await ask('GET', `/profiles/Name:${name}`)).text).toBe(answer.text)
  })

  it('that is there, or is not, is told of in the words of the original', async () => {
    await create()
    expect((await create()).text).toBe(
      `{"Model":"profiles","Key":"${name}","Type":"CREATE","Messages":["already exists"],"Code":409}`,
    )
    const missing = await ask('GET', '/profiles/nope')
    expect([missing.status, missing.text]).toEqual([
      404,
      '{"Model":"profiles","Key":"nope","Type":"GET","Messages":["Not Found"],"Code":404}',
    ])
    const head = await ask('HEAD', '/profiles/nope')
    expect([head.status, head.text]).toEqual([404, ''])
    expect((await ask('HEAD', `/profiles/${name}`)).headers.get('etag')).toMatch(/^"\d+"$/)
    expect(errorOf(await ask('POST', '/profiles', { Name: '' }))).toMatchObject([400, { Type: 'CREATE' }])
    expect(errorOf(await ask('POST', '/profiles', { Name: 'Not Ours' }))).toMatchObject([
      422,
      { Type: 'ValidationError', Key: 'Not Ours' },
    ])
  })

  it('is changed by a patch of the whole, and the loser is shown the line', async () => {
    await create({ Meta: { icon: 'x' } })
    const good = [op('add', '/Meta/color', 'purple'), op('replace', '/Description', 'd')]
    expect(valueOf(await ask('PATCH', `/profiles/${name}?force=true`, good))).toMatchObject({
      Meta: { color: 'purple', icon: 'x' },
      Description: 'd',
    })
    const line = op('test', '/Description', 'other')
    expect(errorOf(await ask('PATCH', `/profiles/${name}`, [line, op('remove', '/Meta/icon')]))).toEqual([
      409,
      {
        Model: 'profiles',
        Key: name,
        Type: 'PATCH',
        Messages: [
          'Patch error at line 0: Test op failed.',
          `Patch line: {"op":"test","path":"/Description","from":"","value":"other"}`,
        ],
        Code: 409,
      },
    ])
    const decode = errorOf(await ask('PATCH', `/profiles/${name}`, [op('replace', '/Description', 7)]))
    expect(decode).toMatchObject([406, { Messages: [expect.stringContaining('Profile.Description of type string')] }])
    expect(errorOf(await ask('PATCH', `/profiles/${name}`, { not: 'a patch' }))).toMatchObject([400, {}])
    expect(errorOf(await ask('PATCH', `/profiles/${name}`, [op('replace', '/Name', 'z')]))).toMatchObject([422, {}])
  })

  it('is its own reference, as the client sends it back', async () => {
    const object = valueOf(await create({ Params: { a: 1 } }))
    const patch = [op('test', '', object), op('add', '/Params/b', 2)]
    expect((await ask('PATCH', `/profiles/${name}`, patch)).status).toBe(200)
    expect((await ask('PATCH', `/profiles/${name}`, patch)).status).toBe(409)
  })

  it('is replaced by PUT and ended by DELETE, which answer it', async () => {
    await create({ Params: { a: 1 } })
    const put = await ask('PUT', `/profiles/${name}`, { Name: name, Description: 'new' })
    expect(valueOf(put)).toMatchObject({ Description: 'new', Params: {} })
    expect(valueOf(await ask('DELETE', `/profiles/${name}`))).toMatchObject({ Name: name, Description: 'new' })
    expect((await ask('DELETE', `/profiles/${name}`)).status).toBe(404)
    expect((await ask('PUT', `/profiles/${name}`, { Name: name })).status).toBe(404)
  })

  it('waits to be another one where asked to, and says 304 when it did not become one', async () => {
    await create()
    const etag = (await ask('HEAD', `/profiles/${name}`)).headers.get('etag') ?? ''
    const waiting = (prefer: string) =>
      hub.ask('GET', `/api/v3/profiles/${name}`, { token: hub.admin, headers: { 'if-none-match': etag, prefer } })
    expect((await waiting('wait=20ms')).status).toBe(304)
    const later = waiting('wait=60s')
    await ask('POST', `/profiles/${name}/params/a`, 1)
    expect([(await later).status, JSON.parse((await later).text)]).toMatchObject([200, { Params: { a: 1 } }])
  })
})

describe('params', () => {
  it('are bare values, null where there is none, and names with slashes', async () => {
    await create()
    for (const value of ['text', 7, null, [1, { b: 1, a: 2 }], { k: [] }, false]) {
      const set = await ask('POST', `/profiles/${name}/params/my/key`, value)
      expect([set.status, valueOf(set)]).toEqual([200, value])
      expect(valueOf(await ask('GET', `/profiles/${name}/params/my/key`))).toEqual(value)
    }
    const none = await ask('GET', `/profiles/${name}/params/none/such`)
    expect([none.status, none.text]).toEqual([200, 'null'])
    expect(errorOf(await ask('GET', `/params/my/key`))).toMatchObject([404, { Model: 'params', Key: 'my/key' }])
  })

  it('are set to null by a body of nothing, which is how the client says it', async () => {
    await create()
    const answer = await hub.ask('POST', `/api/v3/profiles/${name}/params/k`, {
      token: hub.admin,
      body: '',
      headers: { 'content-type': 'application/json' },
    })
    expect([answer.status, answer.text]).toEqual([200, 'null'])
    expect((await ask('GET', `/profiles/${name}/params`)).text).toBe('{"k":null}')
  })

  it('are removed with their old value, and missed in the words of the original', async () => {
    await create({ Params: { 'a/b': 'old' } })
    expect((await ask('DELETE', `/profiles/${name}/params/a/b`)).text).toBe('"old"')
    expect((await ask('DELETE', `/profiles/${name}/params/a/b`)).text).toBe(
      '{"Model":"params","Key":"a/b","Type":"DELETE","Messages":["Not Found"],"Code":404}',
    )
    expect(errorOf(await ask('GET', '/profiles/nope/params/a'))).toMatchObject([
      404,
      { Model: 'profiles', Key: 'nope' },
    ])
  })

  it('are compared and set: the winner has the new map, the loser the line', async () => {
    await create({ Params: { 'my/leader': 'none' } })
    const claim = (value: string) => [op('test', '/my~1leader', 'none'), op('replace', '/my~1leader', value)]
    expect((await ask('PATCH', `/profiles/${name}/params`, claim('a'))).text).toBe('{"my/leader":"a"}')
    expect((await ask('PATCH', `/profiles/${name}/params`, claim('b'))).text).toBe(
      `{"Model":"profiles","Key":"${name}","Type":"PATCH",` +
        '"Messages":["Patch failed to apply at line 0","Test op failed."],"Code":409}',
    )
  })

  it.for([
    [
      'a test of what is missing',
      [op('test', '/gone~1key', 1)],
      'Selector gone/key not a member of map[string]interface {}{…}',
    ],
    ['a replacement of it', [op('replace', '/gone~1key', 1)], '/gone~1key does not refer to an existing location'],
    ['a removal of it', [op('remove', '/gone~1key')], '`/gone~1key` does not point to an existing location'],
    ['a test beyond a list', [op('test', '/list/9', 1)], 'Index out of bounds'],
  ] as const)('of %s are told of without what else there is', async ([, patch, message]) => {
    await create({ Params: { hidden: 'secret', list: [1] } })
    const answer = await ask('PATCH', `/profiles/${name}/params`, patch)
    expect(errorOf(answer)).toMatchObject([409, { Messages: ['Patch failed to apply at line 0', message] }])
    expect(answer.text).not.toContain('secret')
  })

  it('are replaced all at once', async () => {
    await create({ Params: { a: 1 } })
    expect((await ask('POST', `/profiles/${name}/params`, { z: 1, b: 2 })).text).toBe('{"b":2,"z":1}')
    expect((await ask('POST', `/profiles/${name}/params`, [1])).status).toBe(400)
    expect((await ask('GET', `/profiles/${name}/params?params=z`)).text).toBe('{"z":1}')
  })

  it('that must match a schema, or may not be called that, are refused', async () => {
    await create()
    await hub.ask('PUT', '/v1/params/typed', { token: hub.admin, json: { schema: { type: 'string', default: 'd' } } })
    expect(errorOf(await ask('POST', `/profiles/${name}/params/typed`, 7))).toMatchObject([
      422,
      { Type: 'ValidationError' },
    ])
    expect(valueOf(await ask('GET', '/params/typed'))).toMatchObject({ Secure: false, Schema: { default: 'd' } })
    expect((await ask('POST', `/profiles/${name}/params/__proto__`, 7)).status).toBe(422)
    // Defaults count in a view of all, and a test still is on the map itself.
    expect(valueOf(await ask('GET', `/profiles/${name}/params/typed?aggregate=true`))).toBe('d')
    expect((await ask('PATCH', `/profiles/${name}/params`, [op('test', '/typed', 'd')])).status).toBe(409)
  })
})

describe('meta', () => {
  it('is read and patched by itself, texts only', async () => {
    await create({ Meta: { color: 'purple' } })
    expect((await ask('GET', `/meta/profiles/${name}`)).text).toBe('{"color":"purple"}')
    const patch = [op('test', '/color', 'purple'), op('add', '/color', 'yellow')]
    expect((await ask('PATCH', `/meta/profiles/${name}`, patch)).text).toBe('{"color":"yellow"}')
    expect(errorOf(await ask('PATCH', `/meta/profiles/${name}`, patch))).toMatchObject([
      409,
      { Messages: ['Patch failed to apply at line 0', 'Test op failed.'] },
    ])
    expect((await ask('PATCH', `/meta/profiles/${name}`, [op('add', '/n', 7)])).status).toBe(409)
    expect((await ask('GET', '/meta/subnets/x')).status).toBe(400)
  })
})

describe('lists', () => {
  it('are filtered, cut down, sorted and counted', async () => {
    const all = ['a', 'b', 'c'].map((end) => `${name}-${end}`)
    for (const [n, each] of all.entries()) {
      await ask('POST', '/profiles', { Name: each, Meta: { group: name }, Params: { n, 'a/b': 'x' } })
    }
    const list = async (query: string): Promise<unknown> => {
      const answer = await ask('GET', `/profiles?Meta.group=Eq(${name})&${query}`)
      const found = valueOf(answer) as { Name: string }[]
      return [found.map((each) => each.Name.slice(-1)).join(''), answer.headers.get('x-drp-list-count')]
    }
    expect(await list('Name=Ne(x)')).toEqual(['abc', '3'])
    expect(await list(`Name=Eq(${all[1]})`)).toEqual(['b', '1'])
    expect(await list('n=Gte(1)')).toEqual(['bc', '2'])
    expect(await list('n=Between(0,1)&reverse=true')).toEqual(['ba', '2'])
    expect(await list('n=In(0,2)')).toEqual(['ac', '2'])
    expect(await list('n=Nin(0,2)')).toEqual(['b', '1'])
    expect(await list(`Name=Re(-[ab]$)`)).toEqual(['ab', '2'])
    expect(await list('sort=n&reverse=true&limit=2')).toEqual(['cb', '2'])
    expect(await list('offset=1&limit=1')).toEqual(['b', '1'])
    expect(await list('n=1')).toEqual(['b', '1'])
    const slim = valueOf(await ask('GET', `/profiles?Name=Eq(${all[0]})&slim=Params,Meta`))
    expect(slim).toMatchObject([{ Params: {}, Meta: {} }])
    const head = await ask('HEAD', `/profiles?Meta.group=Eq(${name})&n=Lt(2)&limit=1`)
    expect(head.headers.get('x-drp-list-filter-count')).toBe('2')
    expect((await ask('GET', '/profiles?Nope=Eq(1)')).status).toBe(406)
  })
})

it('what it has not is told in its own form', async () => {
  expect(errorOf(await ask('GET', '/subnets/x'))).toMatchObject([404, { Model: 'subnets', Key: 'x', Code: 404 }])
  const answer = await hub.ask('POST', '/api/v3/profiles', {
    token: hub.admin,
    body: 'x',
    headers: { 'content-type': 'text/plain' },
  })
  expect(errorOf({ ...answer })).toMatchObject([400, { Messages: ['Invalid content type: text/plain'] }])
})

it('what is refused is no fault, and stands in no log as one', async () => {
  const before = hub.lines.length
  await create()
  await ask('GET', '/profiles/nope')
  await ask('GET', '/users/x/token?scope=weird&ttl=0')
  await create()
  expect(hub.lines.slice(before).filter(({ level }) => level === 'error')).toEqual([])
})
