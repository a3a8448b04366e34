import { describe, expect, test } from 'vitest'
import { agentSchema } from './agent.ts'
import { settingsOf } from './describe.ts'
import { checkConfig } from './load.ts'
import { showConfig } from './show.ts'

const HAPROXY = { kind: 'haproxy', folder: '/var/lib/flotilla/haproxy', bind: [':80'] }
const AGENT = { node: 'front', hub: 'http://127.0.0.1:8470' }

function checked(proxy: object) {
  const flags = { ...AGENT, proxies: { front: proxy } }
  const document = { file: 'agent.yaml', data: flags, placeOf: () => ({ line: 1, column: 1 }) }
  return checkConfig(agentSchema, { document, env: {}, flags: {} })
}

function faultOf(proxy: object): string {
  const result = checked(proxy)
  return 'issues' in result ? (result.issues[0]?.message ?? '') : 'none'
}

test('a proxy needs little: the rest is what an ERDDAP usually needs', () => {
  const result = checked(HAPROXY)
  const config = 'config' in result ? result.config : undefined
  expect(config?.proxies['front']).toMatchObject({
    kind: 'haproxy',
    tree: 'datasets',
    rules: [{ system: 'erddap', base: '/erddap' }],
    bound: 1.25,
    depth: 3,
    probe: { status: 200, everyMs: 1000, timeoutMs: 800, fall: 2, rise: 2 },
  })
})

test('rules are written short', () => {
  const rules = ['erddap:/', 'geoserver:/geoserver/', 'openmeteo:', 'path:/a/b', 'rule:^/models/([a-z]+)/']
  const result = checked({ ...HAPROXY, rules })
  expect('config' in result ? result.config.proxies['front']?.rules : result.issues).toEqual([
    { system: 'erddap', base: '' },
    { system: 'geoserver', base: '/geoserver' },
    { system: 'openmeteo', base: '' },
    { system: 'path', base: '/a/b' },
    { system: 'rule', name: '^/models/([a-z]+)/', pattern: '^/models/([a-z]+)/' },
  ])
})

describe('what is wrong is said', () => {
  test.for([
    [{ rules: ['erddap'] }, /takes erddap:/],
    [{ rules: ['path:a b'] }, /takes erddap:/],
    [{ rules: ['rule:^(a+)+$'] }, /a group is repeated/],
    [{ rules: [] }, /./],
    [{ nodes: { erd1: 'https://10.0.0.1' } }, /takes an address/],
    [{ networks: ['10.0.0.0'] }, /takes a network/],
    [{ weights: { erd1: 257 } }, /./],
    [{ hot: { sst: 5 } }, /takes 2, 3 or 4/],
    [{ hot: { 'a b': 2 } }, /takes the name of an item/],
    [{ bound: 0.5 }, /./],
    [{ probe: { path: 'version' } }, /takes a path/],
    [
      { flags: { listen: 'localhost:80', urls: ['https://a/erddap'], keyFile: 'k', tokenFile: 't' } },
      /takes ADDRESS:PORT/,
    ],
    [{ flags: { listen: '127.0.0.1:80', urls: ['a'], keyFile: 'k', tokenFile: 't' } }, /takes a URL/],
    [{ unknown: 1 }, /there is no setting "proxies.front.unknown"/],
    [{ kind: 'apache' }, /takes nginx, haproxy|takes/],
  ] as const)('%j', ([change, why]) => {
    expect(faultOf({ ...HAPROXY, ...change })).toMatch(why)
  })
})

test('every setting describes itself: those of all proxies once, the others with their kind', () => {
  const settings = settingsOf(agentSchema).filter(({ path }) => path[0] === 'proxies')
  const names = settings.map(({ path, of }) => `${of?.kind ?? ''} ${path.join('.')}`)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toEqual(expect.arrayContaining([' proxies.*.tree', 'nginx proxies.*.user', 'haproxy proxies.*.user']))
  expect(settings.find(({ path }) => path.at(-1) === 'kind')?.choices).toEqual(['nginx', 'haproxy'])
  expect(settings.filter(({ summary }) => summary === '').map(({ path }) => path.join('.'))).toEqual([])
})

test('it can be shown', () => {
  const document = {
    file: 'agent.yaml',
    data: { ...AGENT, proxies: { front: HAPROXY } },
    placeOf: () => ({ line: 3, column: 1 }),
  }
  const shown = showConfig(agentSchema, { document, env: {}, flags: {} })
  expect(shown.find(({ setting }) => setting === 'proxies.front.kind')).toMatchObject({
    value: 'haproxy',
    origin: 'agent.yaml:3',
  })
  expect(shown.find(({ setting }) => setting === 'proxies.front.tree')).toMatchObject({
    value: 'datasets',
    origin: 'default',
  })
  expect(shown.filter(({ setting }) => setting === 'proxies.front.user')).toEqual([
    { setting: 'proxies.front.user', value: 'haproxy', origin: 'default' },
  ])
  expect(shown.map(({ setting }) => setting)).not.toContain('proxies.front.lua')
})
