import { expect, test } from 'vitest'
import { z } from 'zod'
import { isError } from '../core/errors.ts'
import { settingsOf } from './describe.ts'
import { parseConfigDocument } from './document.ts'
import { checkConfig, loadConfig } from './load.ts'
import { showConfig } from './show.ts'
import { address, baseUrl, duration, path } from './units.ts'

const SCHEMA = z.strictObject({
  listen: address().prefault('127.0.0.1:8470').describe('where it listens'),
  interval: duration({ min: '1s', max: '1h' }).prefault('30s').describe('how often'),
  hub: baseUrl().describe('the hub'),
  level: z.enum(['debug', 'info']).default('info').describe('how much is logged'),
  share: z.number().min(0).max(1).default(0.1).describe('a share'),
  names: z.array(z.string()).default([]).describe('names'),
  peer: z
    .strictObject({ listen: address().optional().describe('where peers ask'), on: z.boolean().default(false) })
    .prefault({}),
  values: z
    .record(z.string().regex(/^[a-z]\w*$/i), z.string())
    .default({})
    .meta({ secret: true, description: 'node values' }),
  targets: z
    .record(
      z.string(),
      z.discriminatedUnion('kind', [z.strictObject({ kind: z.literal('erddap'), contentDir: path() })]),
    )
    .default({}),
})

function sources(text: string | undefined, env: Record<string, string> = {}, flags: Record<string, unknown> = {}) {
  return { document: text === undefined ? undefined : parseConfigDocument('agent.yaml', text), env, flags }
}

function issues(text: string | undefined, env: Record<string, string> = {}, flags: Record<string, unknown> = {}) {
  const checked = checkConfig(SCHEMA, sources(text, env, flags))
  return 'issues' in checked ? checked.issues : []
}

test('the file is overruled by the environment, and that by flags', () => {
  const text = 'hub: http://file\ninterval: 10s\nlevel: debug\n'
  const env = { FLOTILLA_INTERVAL: '20s', FLOTILLA_HUB: 'http://env/' }
  const config = loadConfig(SCHEMA, sources(text, env, { hub: 'http://flag', level: undefined }))
  expect(config).toMatchObject({
    hub: 'http://flag',
    interval: 20_000,
    level: 'debug',
    listen: { host: '127.0.0.1', port: 8470 },
  })
})

test('the environment reaches every kind of setting, and own names are written as they are', () => {
  const env = {
    FLOTILLA_HUB: 'http://h',
    FLOTILLA_SHARE: '0.5',
    FLOTILLA_PEER_ON: 'yes',
    FLOTILLA_NAMES: 'a, b',
    FLOTILLA_VALUES_dataRoot: '/data',
    FLOTILLA_TARGETS_datasets_KIND: 'erddap',
    FLOTILLA_TARGETS_datasets_CONTENT_DIR: '/content',
  }
  expect(loadConfig(SCHEMA, sources(undefined, env))).toMatchObject({
    share: 0.5,
    peer: { on: true },
    names: ['a', 'b'],
    values: { dataRoot: '/data' },
    targets: { datasets: { kind: 'erddap', contentDir: '/content' } },
  })
})

test('an empty variable counts as not set', () => {
  expect(loadConfig(SCHEMA, sources('hub: http://h', { FLOTILLA_HUB: '' })).hub).toBe('http://h')
})

test('what was read cannot be changed any more', () => {
  const config = loadConfig(SCHEMA, sources('hub: http://h\nvalues: {a: x}'))
  expect(Object.isFrozen(config) && Object.isFrozen(config.values) && Object.isFrozen(config.listen)).toBe(true)
})

test.for([
  ['hub: http://h\nlisten: 8470\n', 2, 1, '"listen" takes HOST:PORT'],
  ['hub: http://h\nlisten: "127.0.0.1:99999"\n', 2, 1, '"listen" takes HOST:PORT'],
  ['hub: ftp://h\n', 1, 1, '"hub" takes a URL'],
  ['hub: http://user:pw@h\n', 1, 1, '"hub" takes a URL'],
  ['hub: http://h\ninterval: 0s\n', 2, 1, '"interval" takes a duration from 1s to 1h'],
  ['hub: http://h\ninterval: soon\n', 2, 1, '"interval" takes a duration'],
  ['hub: http://h\nlevel: loud\n', 2, 1, '"level" takes debug, info'],
  ['hub: http://h\npeer:\n  lisen: x\n', 3, 3, 'there is no setting "peer.lisen"'],
  ['hub: http://h\ntargets:\n  t:\n    kind: erdap\n', 4, 5, '"targets.t.kind" takes erddap'],
  ['hub: http://h\ntargets:\n  t:\n    kind: erddap\n', 3, 3, 'the setting "targets.t.contentDir" is missing'],
  ['interval: 5s\n', 1, 1, 'the setting "hub" is missing'],
  ['hub: http://h\nnames: a\n', 2, 1, '"names" takes a list, such as [a, b]'],
] as const)('a mistake in the file is told with its place: %s', ([text, line, column, message]) => {
  const [issue] = issues(text)
  expect(issue).toMatchObject({ file: 'agent.yaml', line, column })
  expect(issue?.message).toContain(message)
})

test('a file that is no YAML is said to be none, with the place and what to look at', () => {
  expect(() => parseConfigDocument('a.yaml', 'hub:\n - a\n   b: c\n')).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('not valid YAML: ') as string,
      details: expect.objectContaining({ line: 2, hint: expect.stringContaining('indentation') as string }) as object,
    }),
  )
})

test('unknown settings are refused, and the near one named', () => {
  expect(issues('hbu: http://h\nhub: http://h\n')).toEqual([
    { message: 'there is no setting "hbu"', hint: 'Did you mean "hub"?', file: 'agent.yaml', line: 1, column: 1 },
  ])
})

test('a mistake in the environment or in a flag is told by its name', () => {
  expect(issues('hub: http://h', { FLOTILLA_INTERVAL: 'x' })[0]?.message).toMatch(/^FLOTILLA_INTERVAL takes a duration/)
  expect(issues('hub: http://h', {}, { 'peer.listen': 'x' })[0]?.message).toMatch(/^--peer-listen takes HOST:PORT/)
})

test('all mistakes are found, in the order of the file; loading tells the first and how many more', () => {
  const text = 'level: x\nhub: y\nshare: 7\n'
  expect(issues(text).map(({ line }) => line)).toEqual([1, 2, 3])
  expect(() => loadConfig(SCHEMA, sources(text))).toThrow(
    /"level" takes debug, info \(and 2 more; flotilla config check/,
  )
})

test.for([
  ['a: [1', 'CONFIG_INVALID'],
  ['a: 1\na: 2', 'CONFIG_INVALID'],
  ['- a\n- b', 'CONFIG_INVALID'],
  ['just text', 'CONFIG_INVALID'],
  ['a: &x [1]\nb: *x', 'CONFIG_INVALID'],
  ['a: &a ["lol"]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]', 'CONFIG_INVALID'],
  [`a: ${'x'.repeat(1024 * 1024)}`, 'CONFIG_INVALID'],
] as const)('a file that is no list of settings is refused: %#', ([text, code]) => {
  try {
    parseConfigDocument('f.yaml', text)
    expect.unreachable()
  } catch (error) {
    expect(isError(error, code)).toBe(true)
  }
})

test.for([
  ['[', 'the file is nested deeper than 64', { line: 1, column: 65 }],
  ['a: {', 'the file is nested deeper than 64', {}],
  ['- ', 'the file is nested deeper than 64', {}],
  ['? - ', 'the file is nested deeper than 64', {}],
] as const)('no end of %j is refused in one line, for its limit', ([part, message, place]) => {
  const text = part.repeat(50_000)
  expect(() => parseConfigDocument('f.yaml', text)).toThrow(
    expect.objectContaining({ message, details: expect.objectContaining({ file: 'f.yaml', ...place }) as unknown }),
  )
})

test.for([
  '__proto__: {polluted: yes}',
  'values: {__proto__: {polluted: yes}}',
  'constructor: {prototype: {polluted: yes}}',
])('no prototype is changed: %s', (text) => {
  checkConfig(
    SCHEMA,
    sources(`hub: http://h\n${text}`, { FLOTILLA_VALUES___proto__: 'x', FLOTILLA_VALUES_constructor: 'x' }),
  )
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(typeof {}.constructor).toBe('function')
})

test('an empty file is a file without settings', () => {
  expect(parseConfigDocument('f.yaml', '# nothing\n').data).toEqual({})
  expect(parseConfigDocument('f.yaml', '').data).toEqual({})
})

test('describes every setting, with type, default and whether it is secret', () => {
  const settings = new Map(settingsOf(SCHEMA).map((setting) => [setting.path.join('.'), setting]))
  expect(settings.get('listen')).toMatchObject({
    type: 'text',
    fallback: '127.0.0.1:8470',
    summary: 'where it listens',
    required: false,
  })
  expect(settings.get('hub')).toMatchObject({ required: true })
  expect(settings.get('share')).toMatchObject({ type: 'number', fallback: 0.1 })
  expect(settings.get('level')).toMatchObject({ choices: ['debug', 'info'] })
  expect(settings.get('values.*')).toMatchObject({ secret: true, summary: 'node values' })
  expect([...settings.keys()]).toContain('targets.*.contentDir')
})

test('an address with a password, which is not valid, is not shown either', () => {
  const shown = showConfig(SCHEMA, sources('hub: http://user:can/ary@h\n', {}, {}))
  expect(shown.find(({ setting }) => setting === 'hub')?.value).toBe('http://[secret]@h')
})

test('shows every value and where it comes from, secrets apart', () => {
  const shown = showConfig(
    SCHEMA,
    sources('hub: http://h\nvalues:\n  pw: canary\n', { FLOTILLA_LEVEL: 'debug' }, { interval: '5s' }),
  )
  const bySetting = new Map(shown.map((one) => [one.setting, one]))
  expect(bySetting.get('hub')).toEqual({ setting: 'hub', value: 'http://h', origin: 'agent.yaml:1' })
  expect(bySetting.get('level')).toEqual({ setting: 'level', value: 'debug', origin: 'FLOTILLA_LEVEL' })
  expect(bySetting.get('interval')).toEqual({ setting: 'interval', value: '5s', origin: '--interval' })
  expect(bySetting.get('share')).toEqual({ setting: 'share', value: 0.1, origin: 'default' })
  expect(bySetting.get('peer.listen')).toEqual({ setting: 'peer.listen', value: undefined, origin: 'not set' })
  expect(bySetting.get('values.pw')).toEqual({ setting: 'values.pw', value: '[secret]', origin: 'agent.yaml:3' })
  expect(JSON.stringify(shown)).not.toContain('canary')
})
