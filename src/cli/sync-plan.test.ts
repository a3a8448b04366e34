import { expect, it } from 'vitest'
import { runCli } from '../../test/helpers/cli.ts'
import { parseInput } from './parse.ts'
import { sync } from './commands/sync.ts'
import { type SyncOptions, SyncPlan } from './sync-plan.ts'
import { Output } from './output.ts'
import { systemClock } from '../lib/system-clock.ts'

function plan(words: readonly string[], env: Readonly<Record<string, string>> = {}): SyncPlan {
  const input = parseInput('sync', sync, words)
  if (input === 'wantsHelp') throw new Error('help')
  const { DOMAINS, VARIABLES } = input.args as Record<string, string | undefined>
  const output = new Output({ write() {} }, { write() {} }, {})
  return new SyncPlan(
    input.options as SyncOptions,
    { DOMAINS, VARIABLES },
    {
      output,
      env,
      cwd: '/some/where',
      clock: systemClock,
      signal: new AbortController().signal,
      readInput: () => Promise.resolve(''),
    },
  )
}

it('reads a command line of openmeteo-api with all of its options', async () => {
  const words =
    'dwd_icon,gfs013;ecmwf temperature_2m --server https://a/;https://b/ --apikey K --rate 10 --past-days 3 --year 2000-2005 ' +
    '--repeat-interval 5 --concurrent 4 --concurrent-models 2 --execute --data-directory-max-size-gb 5 --cache-directory-max-size-gb 1'
  const read = plan(words.split(' '))
  expect(await read.specs()).toMatchObject([
    {
      from: ['https://a/'],
      to: '/some/where/data',
      what: { models: { domains: ['dwd_icon', 'gfs013'] }, days: 3, years: [2000, 2005] },
    },
    {
      from: ['https://b/'],
      to: '/some/where/data',
      what: { models: { domains: ['ecmwf'], variables: ['temperature_2m'] } },
    },
  ])
  expect(read.repeatMs).toBe(300_000)
  expect(read.manner).toMatchObject({ concurrent: 8 })
  expect(read.manner.bandwidth?.at(0)).toBe(10 * 2 ** 20)
})

it('takes what is not said from the environment, and nothing of models where another source is named', async () => {
  const env = {
    SYNC_DOMAINS: 'dwd_icon',
    SYNC_VARIABLES: 'x',
    SYNC_SERVER: '',
    DATA_DIRECTORY: '/data',
    SYNC_REPEAT_INTERVAL: '10',
  }
  const [spec] = await plan([], env).specs()
  expect(spec).toMatchObject({ from: ['https://openmeteo.s3.amazonaws.com/'], to: '/data', what: { days: 7 } })
  expect(plan([], env).repeatMs).toBe(600_000)
  const [other] = await plan(['--from', 'a', '--from', 'http://b/t', '--to', 'c', '--newest', '3c'], env).specs()
  expect(other).toMatchObject({ from: ['/some/where/a', 'http://b/t'], to: '/some/where/c', what: { newestChunks: 3 } })
})

it('is switched off by the environment only where it says so', () => {
  expect(plan([], {}).isEnabled).toBe(true)
  expect(plan([], { SYNC_ENABLED: 'true' }).isEnabled).toBe(true)
  expect(plan([], { SYNC_ENABLED: 'FALSE' }).isEnabled).toBe(false)
})

it('keeps the key out of everything that it prints', async () => {
  const { err, out } = await runCli([
    'sync',
    '--from',
    'http://127.0.0.1:9/x',
    '--to',
    'y',
    '--apikey',
    'hush-hush',
    '--bwlimit',
    'x',
  ])
  expect(err + out).not.toContain('hush-hush')
})

it('refuses what is most likely another thing than what was meant', async () => {
  const refusal = async (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<unknown> =>
    plan(words, env)
      .specs()
      .then(
        () => 'taken',
        (error: unknown) => error,
      )
  // A variable of a script that is not set is not the working folder.
  expect(await refusal(['--from', '', '--to', 'x'])).toMatchObject({ code: 'USAGE' })
  expect(await refusal(['--from', 'x', '--to', ''])).toMatchObject({ code: 'USAGE' })
  const bare = await refusal(['--from', 'node1:8480/data', '--to', 'x'])
  expect(bare).toMatchObject({ code: 'USAGE', details: { hint: expect.stringContaining('http://node1:8480/data') } })
  const places = await refusal(['http://node1:8480/data', 'to'])
  expect(places).toMatchObject({ code: 'USAGE', details: { hint: expect.stringContaining('--from') } })
  expect(await refusal(['icon', 'rain'], { SYNC_PAST_DAYS: 'week' })).toMatchObject({ code: 'USAGE' })
})

it('compares hashes of all files here, not only of those that show another time', () => {
  expect(plan(['--checksum']).manner).toMatchObject({ checksum: true, verify: true })
})
