import { expect, onTestFinished, test } from 'vitest'
import { backendsOf } from '../../../../test/contract/proxy/under-test.ts'
import { VirtualClock } from '../../../../test/helpers/virtual-clock.ts'
import { silent } from '../../../core/log.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { askOverHttp } from './ask.ts'
import { Health, type Place } from './health.ts'

const PACE = { everyMs: 1000, fall: 2, rise: 3 }
const A: Place = { host: '10.0.0.1', port: 80 }

/** Applications that answer as the test says, at once or after a while. */
class Setup {
  readonly clock = new VirtualClock()
  readonly answers = new Map<number, boolean | 'late'>()
  /** What it lists; undefined for nothing that could be read. */
  listing: readonly string[] | undefined = ['sst', 'buoys']
  readonly asked: { readonly port: number; readonly atMs: number }[] = []
  closed = 0
  changes = 0
  readonly health: Health

  constructor() {
    this.health = new Health({
      name: 'front',
      clock: this.clock,
      log: silent,
      pace: PACE,
      onChange: () => void (this.changes += 1),
      expected: () => ['sst', 'buoys'],
      open: ({ port }) => ({
        ask: async () => {
          this.asked.push({ port, atMs: this.clock.monotonicMs() })
          const answer = this.answers.get(port) ?? true
          if (answer !== 'late') return answer
          await this.clock.sleep(800)
          throw new Error('no answer')
        },
        items: async () => {
          if (this.listing === undefined) throw new Error('nothing that could be read')
          return await Promise.resolve(new Set(this.listing))
        },
        close: () => void (this.closed += 1),
      }),
    })
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    void this.health.run(stop.signal)
  }

  down(): readonly string[] {
    return [...this.health.down]
  }
}

test('a node that answers is asked every second, and stays up', async () => {
  const at = new Setup()
  at.health.follow(new Map([['a', A]]))
  await at.clock.advance(3500)
  expect(at.asked.map(({ atMs }) => atMs)).toEqual([0, 1000, 2000, 3000])
  expect([at.down(), at.changes]).toEqual([[], 0])
})

test('one that is back lists what it has loaded until that is everything; what was told before proves nothing', async () => {
  const at = new Setup()
  const listed = (): unknown => at.health.listed.get('a') && [...(at.health.listed.get('a') ?? [])]
  at.answers.set(80, false)
  at.health.follow(new Map([['a', A]]))
  await at.clock.advance(1000)
  expect([at.down(), listed()]).toEqual([['a'], undefined])
  at.answers.set(80, true)
  at.listing = undefined
  await at.clock.advance(4000)
  expect([at.down(), listed()]).toEqual([[], []])
  at.listing = ['sst']
  const { changes } = at
  await at.clock.advance(1000)
  expect([listed(), at.changes]).toEqual([['sst'], changes + 1])
  at.listing = ['buoys', 'sst', 'another']
  await at.clock.advance(1000)
  expect([listed(), at.changes]).toEqual([undefined, changes + 2])
  at.listing = []
  await at.clock.advance(5000)
  expect(listed()).toBeUndefined()
})

test('what is never listed, such as what needs a login, is waited for ten minutes', async () => {
  const at = new Setup()
  at.answers.set(80, false)
  at.health.follow(new Map([['a', A]]))
  await at.clock.advance(1000)
  at.answers.set(80, true)
  at.listing = ['sst']
  await at.clock.advance(590_000)
  expect(at.health.listed.size).toBe(1)
  await at.clock.advance(20_000)
  expect(at.health.listed.size).toBe(0)
})

test('one that dies is down after two failures in a row, and up again after three good answers', async () => {
  const at = new Setup()
  at.answers.set(80, false)
  at.health.follow(new Map([['a', A]]))
  await at.clock.advance(200)
  expect(at.down()).toEqual([])
  await at.clock.advance(100)
  expect(at.down()).toEqual(['a'])
  at.answers.set(80, true)
  await at.clock.advance(2900)
  expect(at.down()).toEqual(['a'])
  await at.clock.advance(100)
  expect([at.down(), at.changes]).toEqual([[], 2])
})

test('one failure among good answers is nothing', async () => {
  const at = new Setup()
  at.health.follow(new Map([['a', A]]))
  for (let round = 0; round < 5; round++) {
    at.answers.set(80, false)
    await at.clock.advance(10)
    at.answers.set(80, true)
    await at.clock.advance(1000)
  }
  expect([at.down(), at.changes]).toEqual([[], 0])
})

test('one that hangs at any moment is out within three seconds, and holds up no check of another', async () => {
  for (const startMs of [0, 1, 300, 700, 999, 1000]) {
    const at = new Setup()
    at.health.follow(
      new Map([
        ['a', A],
        ['b', { ...A, port: 81 }],
      ]),
    )
    await at.clock.advance(5000 + startMs)
    at.answers.set(80, 'late')
    await at.clock.advance(3000)
    expect(at.down()).toEqual(['a'])
    const times = at.asked.filter(({ port }) => port === 81).map(({ atMs }) => atMs)
    expect(times.every((ms, index) => ms === index * 1000)).toBe(true)
  }
})

test('the first nodes are trusted; one that comes later must answer once', async () => {
  const at = new Setup()
  at.answers.set(81, false)
  at.health.follow(new Map([['a', A]]))
  await at.clock.advance(100)
  at.health.follow(
    new Map([
      ['a', A],
      ['b', { ...A, port: 81 }],
    ]),
  )
  expect(at.down()).toEqual(['b'])
  await at.clock.advance(2000)
  expect(at.down()).toEqual(['b'])
  at.answers.set(81, true)
  await at.clock.advance(1000)
  expect(at.down()).toEqual([])
})

test('one that moved or left is not asked at its old address any more', async () => {
  const at = new Setup()
  at.health.follow(
    new Map([
      ['a', A],
      ['b', { ...A, port: 81 }],
    ]),
  )
  await at.clock.advance(500)
  at.health.follow(new Map([['a', { ...A, port: 90 }]]))
  await at.clock.advance(2000)
  expect(at.asked.filter(({ port, atMs }) => port !== 90 && atMs > 500)).toEqual([])
  expect(at.asked.filter(({ port }) => port === 90).length).toBeGreaterThan(1)
  expect(at.closed).toBe(2)
})

test('over real connections: an application that answers, says no, hangs, dies and comes back', async () => {
  const [application] = await backendsOf(1)
  if (application === undefined) return
  const asker = askOverHttp({ clock: systemClock, path: '/alive?x=1', status: 200, timeoutMs: 300 }, application)
  onTestFinished(() => asker.close())
  const ask = async (): Promise<boolean> => await asker.ask().catch(() => false)
  expect(await ask()).toBe(true)
  expect(application.seen[0]).toMatchObject({ method: 'GET', url: '/alive?x=1' })
  application.fail(503)
  expect(await ask()).toBe(false)
  application.hang()
  expect(await ask()).toBe(false)
  application.heal()
  expect(await ask()).toBe(true)
  await application.stop()
  expect(await ask()).toBe(false)
  await application.start()
  expect(await ask()).toBe(true)
})
