import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { temporaryFolder, writeFiles } from '../helpers/folder.ts'
import { type Ran, run, start } from '../helpers/program.ts'
import { contents } from '../helpers/pulling.ts'

/** `flotilla sync` as a process of its own, from a file service that is another. */
vi.setConfig({ testTimeout: 120_000 })

const DAY_MS = 86_400_000
const CHUNK_MS = 253 * 3_600_000

class Bench {
  readonly folder = temporaryFolder()
  readonly data = join(this.folder, 'data')
  readonly to = join(this.folder, 'to')
  readonly env: Readonly<Record<string, string>> = { XDG_STATE_HOME: join(this.folder, 'state') }
  url = ''

  async serve(...args: readonly string[]): Promise<void> {
    const serving = start(['files', 'serve', '--tree', `data=${this.data}`, '--listen', '127.0.0.1:0', ...args], {
      cwd: this.folder,
      env: this.env,
    })
    onTestFinished(async () => void (await serving.stop('SIGKILL')))
    const [, url = ''] = await serving.line(/^files +(http:\S+)$/)
    this.url = url
  }

  async sync(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return run(['sync', ...args], { cwd: this.folder, env: { ...this.env, ...env } })
  }

  write(files: Readonly<Record<string, string>>, modifiedMs?: number): void {
    writeFiles(this.data, files)
    if (modifiedMs === undefined) return
    for (const key of Object.keys(files)) utimesSync(join(this.data, key), modifiedMs / 1000, modifiedMs / 1000)
  }

  /** Until the file service lists that many files. */
  async listed(count: number, query = ''): Promise<void> {
    for (;;) {
      const body = await (await fetch(`${this.url}/data/?list-type=2${query}`)).text()
      if (body.split('<Key>').length - 1 === count) return
      await delay(20)
    }
  }
}

function lines(text: string): readonly Readonly<Record<string, unknown>>[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(20)
}

const OLD = Date.UTC(2026, 0, 1)

test('a folder is brought in step with a node, once, and again with one question', async () => {
  const bench = new Bench()
  bench.write({ 'a/1': 'one', 'a/2': 'two', b: 'three' }, OLD)
  await bench.serve()
  await bench.listed(3)
  const args = ['--from', `${bench.url}/data`, '--to', 'to']
  const first = await bench.sync(args)
  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(first.stdout).toMatch(/^3 fetched \(11 B\) \(\d+\.\d+ s\)\n$/)
  expect(contents(bench.to)).toEqual({ 'a/1': 'one', 'a/2': 'two', b: 'three' })
  expect(statSync(join(bench.to, 'a/1')).mtimeMs).toBe(OLD)
  expect((await bench.sync(args)).stdout).toMatch(/^nothing to do/)
  const [summary] = lines((await bench.sync([...args, '--json'])).stdout)
  expect(summary).toMatchObject({ kind: 'sync', complete: true, listed: 0, fetched: 0 })
})

test('a folder is brought in step with a folder, and what is gone there is deleted only when told', async () => {
  const bench = new Bench()
  bench.write({ 'a/1': 'one', 'a/2': 'two', 'static/meta.json': '{}' })
  const args = ['--from', 'data', '--to', 'to']
  expect(await bench.sync(args)).toMatchObject({ code: 0 })
  unlinkSync(join(bench.data, 'a/1'))
  expect((await bench.sync(args)).stdout).toMatch(/^nothing to do/)
  const dry = await bench.sync([...args, '--delete', '--dry-run'])
  expect(dry.stdout).toMatch(/^delete a\/1\n1 would be deleted/)
  expect(existsSync(join(bench.to, 'a/1'))).toBe(true)
  const [event, summary] = lines((await bench.sync([...args, '--delete', '--json'])).stdout)
  expect(event).toEqual({ kind: 'sync-file', action: 'delete', key: 'a/1', size: 3 })
  expect(summary).toMatchObject({ deleted: 1, complete: true })
  expect(Object.keys(contents(bench.to))).toEqual(['a/2', 'static/meta.json'])
})

test('a bucket comes over signed, with a large file, and two sources share the work', async () => {
  const bench = new Bench()
  bench.write({ 'a/1': 'one' }, OLD)
  const large = Buffer.alloc(20 * 1024 * 1024)
  for (let at = 0; at < large.byteLength; at += 4096) large.writeUInt32LE(at, at)
  writeFileSync(join(bench.data, 'large'), large)
  utimesSync(join(bench.data, 'large'), OLD / 1000, OLD / 1000)
  writeFileSync(join(bench.folder, 's3'), 'AKIAEXAMPLE:secret-key\n', { mode: 0o600 })
  await bench.serve('--s3-credentials', join(bench.folder, 's3'))
  const host = new URL(bench.url).host
  const from = `s3://AKIAEXAMPLE:secret-key@${host}/data`
  while ((await bench.sync(['--from', from, '--to', 'to'])).stdout !== '' && Object.keys(contents(bench.to)).length < 2)
    await delay(50)
  expect(readFileSync(join(bench.to, 'large')).equals(large)).toBe(true)
  const both = await bench.sync([
    '--from',
    `${bench.url}/data`,
    '--from',
    from,
    '--to',
    'both',
    '--s3-credentials',
    's3',
  ])
  expect(both).toMatchObject({ code: 0, stderr: '' })
  expect(readFileSync(join(bench.folder, 'both/large')).equals(large)).toBe(true)
})

test('s3://bucket is at the service that AWS tools are set to, with their credentials', async () => {
  const bench = new Bench()
  bench.write({ 'a/1': 'one' }, OLD)
  writeFileSync(join(bench.folder, 's3'), 'AKIAEXAMPLE:secret-key\n', { mode: 0o600 })
  await bench.serve('--s3-credentials', join(bench.folder, 's3'))
  const keys = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret-key' }
  const env = { ...keys, AWS_ENDPOINT_URL: bench.url, HOME: bench.folder }
  await vi.waitFor(
    async () => {
      expect(await bench.sync(['--from', 's3://data/a', '--to', 'to'], env)).toMatchObject({ code: 0, stderr: '' })
      expect(contents(bench.to)).toEqual({ '1': 'one' })
    },
    { timeout: 30_000 },
  )
})

describe('what goes wrong has its exit code and says what to do', () => {
  test('too much would be deleted: 4', async () => {
    const bench = new Bench()
    bench.write({ 'a/1': 'one', 'a/2': 'two' })
    await bench.sync(['--from', 'data', '--to', 'to'])
    rmSync(join(bench.data, 'a'), { recursive: true })
    const refused = await bench.sync(['--from', 'data', '--to', 'to', '--delete'])
    expect(refused.code).toBe(4)
    expect(refused.stderr).toMatch(/error: the source has nothing [^]*--delete-max 2[^]*DELETE_GUARD/)
    expect(await bench.sync(['--from', 'data', '--to', 'to', '--delete', '--delete-max', '2'])).toMatchObject({
      code: 0,
    })
    expect(contents(bench.to)).toEqual({})
  })

  test('a file cannot be brought over: 1, and it is named', async () => {
    const bench = new Bench()
    bench.write({ 'a/1': 'one', b: 'two' })
    mkdirSync(join(bench.to, 'b/full'), { recursive: true })
    const partly = await bench.sync(['--from', 'data', '--to', 'to'])
    expect(partly.code).toBe(1)
    expect(partly.stderr).toMatch(/failed b: [^]*FILES_INCOMPLETE/)
    expect(contents(bench.to)).toEqual({ 'a/1': 'one' })
  })

  test('nobody answers: 7', async () => {
    const bench = new Bench()
    const lost = await bench.sync(['--from', 'http://127.0.0.1:9/data', '--to', 'to', '--json'])
    expect(lost.code).toBe(7)
    expect(lines(lost.stderr)).toMatchObject([{ kind: 'error', code: 'UNREACHABLE' }])
  })

  test('the key is missing or wrong: 6; with it all is well, by file and by environment', async () => {
    const bench = new Bench()
    bench.write({ a: 'one' }, OLD)
    writeFileSync(join(bench.folder, 'keys'), 'right-key\n', { mode: 0o600 })
    writeFileSync(join(bench.folder, 'key'), 'right-key\n', { mode: 0o600 })
    await bench.serve('--api-key-file', join(bench.folder, 'keys'))
    await bench.listed(1, '&apikey=right-key')
    const args = ['--from', `${bench.url}/data`, '--to', 'to']
    expect(await bench.sync(args)).toMatchObject({ code: 6 })
    expect(await bench.sync(args, { SYNC_APIKEY: 'wrong-key' })).toMatchObject({ code: 6 })
    expect(await bench.sync(args, { SYNC_APIKEY: 'right-key' })).toMatchObject({ code: 0 })
    expect(await bench.sync([...args, '--apikey-file', 'key'])).toMatchObject({ code: 0 })
    const inUrl = `${bench.url}/data?apikey=right-key`
    const withUrl = ['--from', inUrl, '--to', 'third', '--json']
    expect(await bench.sync(withUrl, { SYNC_APIKEY: 'wrong-key' })).toMatchObject({ code: 0 })
    const again = await bench.sync(withUrl)
    expect(again).toMatchObject({ code: 0 })
    expect(again.stdout + again.stderr).not.toContain('right-key')
    const state = join(bench.folder, 'third/.flotilla-state')
    expect(readdirSync(state).filter((name) => readFileSync(join(state, name)).includes('right-key'))).toEqual([])
    chmodSync(join(bench.folder, 'key'), 0o644)
    expect(await bench.sync([...args, '--apikey-file', 'key'])).toMatchObject({ code: 6 })
  })

  test.for([
    [[], /--from is missing/],
    [['--from', 'data'], /--to is missing/],
    [['dwd_icon'], /VARIABLES are missing/],
    [['a;b', 'x'], /1 servers, but 2 sets/],
    [['--from', 'data', '--to', 'to', '--bwlimit', 'fast'], /no bandwidth/],
    [['--from', 'data', '--to', 'to', '--delete-max', '5x'], /no number of files/],
    [['--from', 'data', '--to', 'to', '--newest', '7'], /number of days or chunks/],
    [['--from', 'data', '--to', 'to', '--include', 'a['], /no pattern/],
    [['--from', 'ftp://x/y', '--to', 'to'], /neither http nor https/],
    [['--from', '.', '--to', 'copy'], /lie in each other/],
  ] as const)('the command line %s is not valid: 2', async ([args, words]) => {
    const bench = new Bench()
    const refused = await bench.sync(args)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(words)
  })
})

test('one of two sources is enough, even after neither answered', async () => {
  const bench = new Bench()
  bench.write({ a: 'one' }, OLD)
  const serve = async (name: string, listen: string) => {
    const args = [
      'files',
      'serve',
      '--tree',
      `data=${bench.data}`,
      '--listen',
      listen,
      '--state',
      join(bench.folder, name),
    ]
    const serving = start(args, { cwd: bench.folder, env: bench.env })
    onTestFinished(async () => void (await serving.stop('SIGKILL')))
    const [, url = ''] = await serving.line(/^files +(http:\S+)$/)
    return { url, serving }
  }
  const [one, two] = [await serve('state1', '127.0.0.1:0'), await serve('state2', '127.0.0.1:0')]
  bench.url = one.url
  await bench.listed(1)
  const args = ['--from', `${one.url}/data`, '--from', `${two.url}/data`, '--to', 'to']
  expect(await bench.sync(args)).toMatchObject({ code: 0 })
  await one.serving.stop()
  expect(await bench.sync(args)).toMatchObject({ code: 0 })
  await two.serving.stop()
  expect(await bench.sync(args)).toMatchObject({ code: 7 })
  await serve('state1', new URL(one.url).host)
  expect(await bench.sync(args)).toMatchObject({ code: 0 })
})

test('a watching sync brings over what changes as soon as it does, and ends when told', async () => {
  const bench = new Bench()
  bench.write({ a: 'one' }, OLD)
  await bench.serve()
  await bench.listed(1)
  const syncing = start(['sync', '--from', `${bench.url}/data`, '--to', 'to', '--watch', '--delete'], {
    cwd: bench.folder,
    env: bench.env,
  })
  onTestFinished(async () => void (await syncing.stop('SIGKILL')))
  await syncing.line(/^1 fetched/)
  bench.write({ 'deep/b': 'two' })
  await until(() => existsSync(join(bench.to, 'deep/b')))
  unlinkSync(join(bench.data, 'deep/b'))
  await until(() => !existsSync(join(bench.to, 'deep/b')))
  appendFileSync(join(bench.data, 'a'), ' more')
  await until(() => readFileSync(join(bench.to, 'a'), 'utf8') === 'one more')
  expect(await syncing.stop()).toBe(0)
})

describe('as openmeteo-api sync', () => {
  const now = Date.now()
  const chunk = Math.floor(now / CHUNK_MS)
  const meta = JSON.stringify({ chunk_time_length: 253, temporal_resolution_seconds: 3600 })

  async function models(): Promise<Bench> {
    const bench = new Bench()
    for (const domain of ['dwd_icon', 'gfs013']) {
      bench.write({ [`${domain}/static/meta.json`]: meta, [`${domain}/static/HSURF.om`]: 'height' }, OLD)
      for (const variable of ['temperature_2m', 'precipitation', 'temperature_850hPa']) {
        for (const number of [chunk - 5, chunk - 1, chunk])
          bench.write({ [`${domain}/${variable}/chunk_${number}.om`]: 'data' }, OLD)
      }
    }
    await bench.serve()
    await bench.listed(22)
    return bench
  }

  const wanted = (domain: string, days = 7): readonly string[] => {
    const oldest = Math.floor((now - days * DAY_MS) / CHUNK_MS)
    const chunks = [chunk - 5, chunk - 1, chunk].filter((number) => number >= oldest)
    return [
      ...chunks.map((number) => `${domain}/temperature_2m/chunk_${number}.om`),
      `${domain}/static/HSURF.om`,
      `${domain}/static/meta.json`,
    ]
  }

  test('a model that the source does not have is named, and the others come over', async () => {
    const bench = await models()
    const words = ['dwd_icon,dwd_icom', 'temperature_2m,rian', '--server', bench.url, '--to', 'to']
    const ran = await bench.sync(words)
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(/failed dwd_icom: the source has no such model/)
    expect(ran.stderr).toMatch(/none of the models has rian/)
    expect(Object.keys(contents(bench.to))).toEqual(expect.arrayContaining([...wanted('dwd_icon')]))
  })

  test('models and variables of the last days come to DATA_DIRECTORY', async () => {
    const bench = await models()
    const done = await bench.sync(['dwd_icon', 'temperature_2m', '--server', `${bench.url}/`, '-c', '2'], {
      DATA_DIRECTORY: bench.to,
    })
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(Object.keys(contents(bench.to))).toEqual(wanted('dwd_icon').toSorted())
  })

  test('everything may stand in the environment, and --past-days reaches back', async () => {
    const bench = await models()
    const env = {
      SYNC_ENABLED: 'true',
      SYNC_SERVER: `${bench.url}/`,
      SYNC_DOMAINS: 'dwd_icon,gfs013',
      SYNC_VARIABLES: 'temperature_2m',
      SYNC_PAST_DAYS: '100',
      SYNC_CONCURRENT: '4',
      SYNC_APIKEY: '',
      SYNC_REPEAT_INTERVAL: '',
      DATA_DIRECTORY: bench.to,
    }
    expect(await bench.sync([], env)).toMatchObject({ code: 0, stderr: '' })
    expect(Object.keys(contents(bench.to))).toEqual([...wanted('dwd_icon', 100), ...wanted('gfs013', 100)].toSorted())
  })

  test('switched off it says so and does nothing', async () => {
    const bench = new Bench()
    const off = await bench.sync([], { SYNC_ENABLED: 'false', SYNC_DOMAINS: 'dwd_icon', SYNC_VARIABLES: 'x' })
    expect(off).toMatchObject({ code: 0, stdout: 'SYNC_ENABLED is false: nothing is done\n' })
  })

  test('with an interval it looks again and again', async () => {
    const bench = await models()
    const syncing = start(
      ['sync', 'dwd_icon', 'temperature_2m', '--server', `${bench.url}/`, '--repeat-interval', '0'],
      {
        cwd: bench.folder,
        env: { ...bench.env, DATA_DIRECTORY: bench.to },
      },
    )
    onTestFinished(async () => void (await syncing.stop('SIGKILL')))
    await syncing.line(/fetched/)
    bench.write({ [`dwd_icon/temperature_2m/chunk_${chunk + 1}.om`]: 'new' }, OLD)
    await until(() => existsSync(join(bench.to, `dwd_icon/temperature_2m/chunk_${chunk + 1}.om`)))
    expect(await syncing.stop()).toBe(0)
  })
})
