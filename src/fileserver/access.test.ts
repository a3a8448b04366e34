import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { silent, type Logger } from '../core/log.ts'
import { Access, type AccessOptions, type Caller } from './access.ts'
import { parseApiKeys, parseS3Credentials, readApiKeys, readS3Credentials } from './key-files.ts'

const CLOSED = { openReads: false, openJson: false, openWrites: false, host: '127.0.0.1' }

function callerOf(line: string, options: Partial<AccessOptions> = {}): Caller {
  const access = new Access({ ...CLOSED, ...options, apiKeys: parseApiKeys(line, 'keys') })
  return access.ofApiKey(line.split(/\s/)[0]!)!
}

test('a key reads everything unless its line says otherwise, and writes only where it says so', () => {
  expect(callerOf('k').mayRead('any', 'a/b')).toBe(true)
  expect(callerOf('k').mayWrite('any', 'a/b')).toBe(false)
  expect(callerOf('k write').mayWrite('any', 'a/b')).toBe(true)
  expect(callerOf('k write').mayRead('any', 'a/b')).toBe(true)
  expect(callerOf('k read data').mayRead('data', 'a')).toBe(true)
  expect(callerOf('k data').mayRead('data', 'a')).toBe(true)
})

test('a scope is a tree, a folder or the begin of names, and never its neighbour', () => {
  const caller = callerOf('k read data/dwd data2/x/ runs/2026-*')
  const may = (path: string): boolean =>
    caller.mayRead(path.slice(0, path.indexOf('/')), path.slice(path.indexOf('/') + 1))
  for (const path of ['data/dwd/a', 'data/dwd/', 'data2/x/y', 'runs/2026-01/a', 'runs/2026-'])
    expect(may(path)).toBe(true)
  for (const path of [
    'data/dwd_icon/a',
    'data/dw',
    'data/dwd',
    'data2/xy',
    'data3/x/y',
    'runs/2025-01',
    'runs2/2026-',
    'data/../data/dwd/a',
    'data//dwd/a',
  ]) {
    expect(may(path)).toBe(false)
  }
  expect(caller.readable('data')).toEqual(['dwd/'])
  expect(caller.readable('runs')).toEqual(['2026-'])
  expect(caller.readable('other')).toEqual([])
  expect(caller.writable('data')).toEqual([])
})

test('lines of the same key add up', () => {
  const access = new Access({
    ...CLOSED,
    apiKeys: parseApiKeys('k read data/a\nk write data/b\nk read data/a/c', 'keys'),
  })
  const caller = access.ofApiKey('k')!
  expect(caller.readable('data')).toEqual(['a/', 'b/'])
  expect(caller.writable('data')).toEqual(['b/'])
  expect(caller.mayWrite('data', 'a/x')).toBe(false)
})

test('a key that nobody has is nobody', () => {
  const access = new Access({ ...CLOSED, apiKeys: parseApiKeys('key\n', 'keys') })
  for (const key of ['', 'ke', 'key1', 'KEY', 'key\n']) expect(access.ofApiKey(key)).toBeUndefined()
  expect(new Access({ ...CLOSED, apiKeys: [] }).ofApiKey('')).toBeUndefined()
})

test('without any keys reads are open and writes are not; with some, nothing is', () => {
  const { anonymous } = new Access(CLOSED)
  expect([anonymous.mayRead('a', 'b'), anonymous.mayWrite('a', 'b')]).toEqual([true, false])
  const keyed = new Access({ ...CLOSED, apiKeys: [] }).anonymous
  expect([keyed.mayRead('a', 'b.json'), keyed.readable('a')]).toEqual([false, []])
  const credentialed = new Access({ ...CLOSED, credentials: [] }).anonymous
  expect(credentialed.mayRead('a', 'b')).toBe(false)
  const reads = new Access({ ...CLOSED, apiKeys: [], openReads: true }).anonymous
  expect([reads.mayRead('a', 'b'), reads.mayWrite('a', 'b')]).toEqual([true, false])
  const json = new Access({ ...CLOSED, apiKeys: [], openJson: true }).anonymous
  expect([json.mayRead('a', 'b.json'), json.mayRead('a', 'b.om'), json.readable('a')]).toEqual([true, false, []])
})

test('writes are open on a loopback address only', () => {
  expect(new Access({ ...CLOSED, openWrites: true }).anonymous.mayWrite('a', 'b')).toBe(true)
  for (const host of ['0.0.0.0', '::', '10.0.0.1']) {
    expect(() => new Access({ ...CLOSED, host, openWrites: true })).toThrow(/could write/)
  }
})

test('S3 credentials write everything unless their line says otherwise', () => {
  const access = new Access({
    ...CLOSED,
    credentials: parseS3Credentials('# comment\nAK:se:cret # note\nRO:s#x read data/a\n', 'credentials'),
  })
  expect(access.secretOf('AK')?.reveal()).toBe('se:cret')
  expect(access.secretOf('RO')?.reveal()).toBe('s#x')
  expect(access.ofAccessKey('AK')?.mayWrite('data', 'x')).toBe(true)
  expect(access.ofAccessKey('RO')?.writable('data')).toEqual([])
  expect(access.ofAccessKey('RO')?.readable('data')).toEqual(['a/'])
  expect(access.secretOf('NO')).toBeUndefined()
})

test('a file of the AWS tools is taken as it is', () => {
  const text =
    '[default]\naws_access_key_id = AK1\naws_secret_access_key = s1/+=\n\n[other]\naws_access_key_id=AK2\naws_secret_access_key=s2\n'
  const credentials = parseS3Credentials(text, 'credentials')
  expect(credentials.map(({ accessKey, secret }) => [accessKey, secret.reveal()])).toEqual([
    ['AK1', 's1/+='],
    ['AK2', 's2'],
  ])
})

test.for<[string, string, RegExp]>([
  ['a line without a secret', 'AKID\n', /credentials:1: /],
  ['an empty secret', '\nAKID:\n', /credentials:2: /],
  ['two secrets for one', 'A:b\nA:c\n', /credentials:2: A has another secret/],
  ['a tree that can be none', 'A:b read ../etc\n', /credentials:1: /],
  ['a word that is none', 'A:b admin/ READ\n', /credentials:1: /],
])('what is no file of credentials is refused by line, without its secret: %s', ([, text, message]) => {
  expect(() => parseS3Credentials(text, 'credentials')).toThrow(message)
  try {
    parseS3Credentials('AKID:verysecret read ..\n', 'credentials')
  } catch (error) {
    expect(inspect(error)).not.toContain('verysecret')
  }
})

test('a file of keys that others can write to is refused; one that anybody reads is warned of', async () => {
  const path = join(temporaryFolder(), 'keys')
  const warnings: unknown[] = []
  const log: Logger = { ...silent, warn: (message, fields) => void warnings.push([message, fields]) }
  writeFileSync(path, 'secretkey\n')
  chmodSync(path, 0o600)
  expect(await readApiKeys(path, log)).toHaveLength(1)
  expect(warnings).toEqual([])
  chmodSync(path, 0o644)
  expect(await readApiKeys(path, log)).toHaveLength(1)
  expect(warnings).toHaveLength(1)
  chmodSync(path, 0o620)
  await expect(readApiKeys(path, log)).rejects.toMatchObject({ code: 'INSECURE_FILE' })
  await expect(readS3Credentials(`${path}-absent`, log)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a parent may read and feed whole trees, those of its line, and write nothing else', () => {
  const caller = callerOf('k parent music tiles')
  expect(['music', 'tiles', 'mus', 'musical', 'other', ''].filter((tree) => caller.mayFeed(tree))).toEqual([
    'music',
    'tiles',
  ])
  expect([caller.mayRead('music', 'a'), caller.mayWrite('music', 'a'), caller.mayRead('other', 'a')]).toEqual([
    true,
    false,
    false,
  ])
  for (const line of ['k', 'k read music', 'k write', 'k write music']) {
    expect(callerOf(line).mayFeed('music')).toBe(false)
  }
  expect(() => parseS3Credentials('# of a parent\nA:s parent music', 'file')).toThrow(
    /^file:2: a parent shows a key, no S3 credentials: say KEY parent TREE in the file of API keys$/,
  )
})

test('a parent of a part of a tree, or of none, is refused by line', () => {
  for (const [line, why] of [
    ['k parent music/a', /^keys:1: a parent feeds whole trees: say parent music, without a folder/],
    ['k parent music/*', /^keys:1: a parent feeds whole trees/],
    ['k parent', /^keys:1: after parent come the names of the trees/],
  ] as const) {
    expect(() => parseApiKeys(line, 'keys')).toThrow(why)
  }
})

test('anybody may feed where anybody on this machine may write, and there are no keys', () => {
  const mayFeed = (options: Partial<AccessOptions>): boolean =>
    new Access({ ...CLOSED, ...options }).anonymous.mayFeed('music')
  expect(mayFeed({ openWrites: true })).toBe(true)
  expect(mayFeed({ openReads: true })).toBe(false)
  expect(mayFeed({})).toBe(false)
  expect(mayFeed({ openWrites: true, apiKeys: [] })).toBe(false)
  expect(mayFeed({ openWrites: true, credentials: [] })).toBe(false)
})
