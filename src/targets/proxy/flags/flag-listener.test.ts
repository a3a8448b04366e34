import { expect, onTestFinished, test } from 'vitest'
import { ask } from '../../../../test/helpers/proxy-client.ts'
import { VirtualClock } from '../../../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../../../core/errors.ts'
import { silent } from '../../../core/log.ts'
import { Secret } from '../../../lib/secret.ts'
import { flagKey } from './flag-key.ts'
import { FlagListener, type FlagListenerOptions } from './flag-listener.ts'

const KEY = new Secret('A FAVOURITE QUOTE')
const URLS = ['http://data.example.org/erddap', 'https://data.example.org/erddap'] as const
const GOOD = flagKey(URLS[1], 'sst', KEY)
const PAGE = '/erddap/setDatasetFlag.txt'

interface Setup {
  readonly port: number
  readonly clock: VirtualClock
  readonly asked: readonly string[]
}

async function listening(reload?: FlagListenerOptions['reload']): Promise<Setup> {
  const clock = new VirtualClock()
  const asked: string[] = []
  const stop = new AbortController()
  const port = await new Promise<number>((resolve, reject) => {
    const listener = new FlagListener({
      host: '127.0.0.1',
      port: 0,
      rules: [{ system: 'erddap', base: '/erddap' }],
      urls: URLS,
      key: KEY,
      reload: async (dataset, op) => {
        asked.push(dataset)
        await reload?.(dataset, op)
      },
      onListening: resolve,
      clock,
      log: silent,
    })
    const running = listener.run(stop.signal)
    running.catch(reject)
    onTestFinished(async () => {
      stop.abort()
      await running
    })
  })
  return { port, clock, asked }
}

async function said(at: Setup, path: string, from?: string): Promise<string> {
  const { status, text } = await ask(at.port, path, from === undefined ? {} : { headers: { 'x-forwarded-for': from } })
  return `${status} ${text}`
}

test('a good key asks every node, in ERDDAP’s words, with either address of the server', async () => {
  const at = await listening()
  const { status, text, headers } = await ask(at.port, `${PAGE}?datasetID=sst&flagKey=${GOOD}`)
  expect([status, text]).toEqual([200, 'SUCCESS: The flag has been set.'])
  expect(headers['content-type']).toBe('text/plain;charset=UTF-8')
  expect(
    await said(at, `/erddap/fr/setDatasetFlag.txt?FLAGKEY=${flagKey(URLS[0], 'sst', KEY)}&datasetid=s%73t`),
  ).toMatch(/^200 SUCC/)
  expect(at.asked).toEqual(['sst', 'sst'])
})

test.for([
  [`?datasetID=sst&flagKey=${GOOD}x`, 'Invalid flagKey.'],
  [`?datasetID=buoys&flagKey=${GOOD}`, 'Invalid flagKey.'],
  ['?datasetID=sst', 'Incomplete request.'],
  [`?flagKey=${GOOD}`, 'Incomplete request.'],
  ['', 'Incomplete request.'],
  [`?datasetID=a%20b&flagKey=${GOOD}`, 'Invalid datasetID.'],
  [`?datasetID=..%2F..%2Fx&flagKey=${GOOD}`, 'Invalid datasetID.'],
] as const)('after %s the answer is as late as ERDDAP’s', async ([query, why]) => {
  const at = await listening()
  let answer: string | undefined
  const waiting = said(at, PAGE + query).then((text) => (answer = text))
  await ask(at.port, '/elsewhere')
  await at.clock.advance(4999)
  expect(answer).toBeUndefined()
  await at.clock.advance(1)
  await waiting
  expect([answer, at.asked]).toEqual([`200 ERROR: ${why}`, []])
})

test('whoever sends many wrong keys at a time is not listened to, and others are', async () => {
  const at = await listening()
  const wrong = `${PAGE}?datasetID=sst&flagKey=1`
  const waiting = [1, 2, 3, 4].map(async () => await said(at, wrong, '10.0.0.9, 192.0.2.1'))
  await expect.poll(async () => await said(at, `${PAGE}?datasetID=sst&flagKey=${GOOD}`, '192.0.2.1')).toMatch(/^429 /)
  expect(await said(at, `${PAGE}?datasetID=sst&flagKey=${GOOD}`, '192.0.2.1, 192.0.2.2')).toMatch(/^200 SUCCESS/)
  await at.clock.advance(5000)
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['200 ERROR: Invalid flagKey.']))
  expect(await said(at, `${PAGE}?datasetID=sst&flagKey=${GOOD}`, '192.0.2.1')).toMatch(/^200 SUCCESS/)
})

test('a dataset that no release has is taken as ERDDAP takes it', async () => {
  const at = await listening(async () => {
    throw new FlotillaError('NOT_FOUND', 'no dataset of that name')
  })
  expect(await said(at, `${PAGE}?datasetID=sst&flagKey=${GOOD}`)).toMatch(/^200 SUCCESS/)
})

test('what cannot be passed on is no success', async () => {
  const at = await listening(async () => {
    throw new FlotillaError('UNREACHABLE', 'nothing listens there')
  })
  expect(await said(at, `${PAGE}?datasetID=sst&flagKey=${GOOD}`)).toMatch(/^503 ERROR: /)
})

test('requests for one dataset that come together are one', async () => {
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  const at = await listening(async () => await until)
  const all = [1, 2, 3].map(async () => await said(at, `${PAGE}?datasetID=sst&flagKey=${GOOD}`))
  await expect.poll(() => at.asked.length).toBe(1)
  await ask(at.port, '/elsewhere')
  release()
  for (const answer of await Promise.all(all)) expect(answer).toMatch(/^200 SUCCESS/)
  expect(at.asked.length).toBeLessThan(3)
})

test.for([
  ['GET', '/erddap/index.html', 404],
  ['GET', '/setDatasetFlag.txt', 404],
  ['GET', `${PAGE}/x?datasetID=sst&flagKey=${GOOD}`, 404],
  ['GET', `${PAGE}%zz?datasetID=sst&flagKey=${GOOD}`, 404],
  ['POST', `${PAGE}?datasetID=sst&flagKey=${GOOD}`, 405],
] as const)('%s %s is %i', async ([method, path, expected]) => {
  const at = await listening()
  expect((await ask(at.port, path, { method })).status).toBe(expected)
  expect(at.asked).toEqual([])
})

test('a port that is taken is said', async () => {
  const at = await listening()
  const another = new FlagListener({
    host: '127.0.0.1',
    port: at.port,
    rules: [],
    urls: URLS,
    key: KEY,
    reload: async () => undefined,
    clock: at.clock,
    log: silent,
  })
  await expect(another.run(new AbortController().signal)).rejects.toMatchObject({ code: 'PORT_TAKEN' })
})
