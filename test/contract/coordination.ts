import { describe, expect, it } from 'vitest'
import { Barriers } from '../../src/coordination/barriers.ts'
import { Board } from '../../src/coordination/board.ts'
import { Claims, type Contender } from '../../src/coordination/claims.ts'
import { Waits } from '../../src/coordination/waits.ts'
import type { ClaimKind } from '../../src/core/coordination/claims.ts'
import { formatFence, parseFence } from '../../src/core/coordination/fences.ts'
import { keys } from '../../src/core/keys.ts'
import { silent } from '../../src/core/log.ts'
import { type Store, STORE_LIMITS } from '../../src/core/store.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { commit, type OpenStore, pass, put, rejects, type StoreUnderTest } from './store/under-test.ts'

const SIZE = process.env['FLOTILLA_SOAK'] === '1' ? 1000 : 40
const LONG = { ms: 60_000, signal: new AbortController().signal }
const NOT = { ms: 0, signal: new AbortController().signal }

/** What one hub does for those who ask it: several of them over one store are several hubs. */
class Side {
  readonly board: Board
  readonly claims: Claims
  readonly barriers: Barriers
  readonly waits: Waits
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(store: Store) {
    // The store's leases may live in another time; waiting is in that of people.
    const clock = systemClock
    this.board = new Board({ store, clock, log: silent })
    this.claims = new Claims({ store, clock, board: this.board })
    this.barriers = new Barriers({ store, clock, board: this.board })
    this.waits = new Waits(this.board)
    this.#running = this.board.run(this.#stop.signal)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

interface Sides {
  readonly one: Side
  readonly other: Side
  readonly store: Store
  readonly under: StoreUnderTest
}

const contender = (who: string, more: Partial<Contender> = {}): Contender => ({
  kind: 'elect',
  name: 'main',
  who,
  seats: 1,
  by: 'token',
  label: 'test',
  session: who,
  lease: { ttlMs: 5000 },
  ...more,
})

const arrival = (who: string, parties: number, more: object = {}) => ({
  name: 'gate',
  who,
  parties,
  by: 'token',
  label: 'test',
  session: who,
  lease: { ttlMs: 5000 },
  ...more,
})

/** What src/coordination promises, over one implementation of the store and by two hubs. */
export function coordinationContract(name: string, open: OpenStore): void {
  const using = (body: (sides: Sides) => Promise<void>) => async (): Promise<void> => {
    const under = await open()
    const { store } = under
    const one = new Side(store)
    const other = new Side(store)
    try {
      await body({ one, other, store, under })
    } finally {
      await Promise.all([one.close(), other.close()])
      await under.close()
    }
  }

  describe(`${name}: claims`, () => claimTests(using))
  describe(`${name}: barriers`, () => barrierTests(using))
  describe(`${name}: waits`, () => waitTests(using))
}

type Using = (body: (sides: Sides) => Promise<void>) => () => Promise<void>

function claimTests(using: Using): void {
  it(
    'one of many who come at once holds, the others are told their place, by one put each',
    using(async ({ one, other, store }) => {
      const before = (await store.list('elect/')).revision
      const put = await Promise.all(
        Array.from({ length: SIZE }, (_, at) => (at % 2 === 0 ? one : other).claims.contend(contender(`w${at}`), NOT)),
      )
      expect(new Set(put.map(({ revision }) => revision)).size).toBe(SIZE)
      const states = await Promise.all(
        put.map(({ revision }) => one.claims.state({ kind: 'elect', name: 'main', revision }, NOT)),
      )
      expect(states.filter((state) => state?.holds)).toHaveLength(1)
      expect(states.map((state) => state?.position).toSorted((a, b) => Number(a) - Number(b))).toEqual(
        Array.from({ length: SIZE }, (_, at) => at),
      )
      // A store may count the leases too.
      expect((await store.list('elect/')).revision - before).toBeLessThanOrEqual(2 * SIZE)
    }),
  )

  it(
    'who waits holds as soon as who was ahead is released, in their order',
    using(async ({ one, other }) => {
      const put = []
      for (const who of ['a', 'b', 'c']) put.push(await one.claims.contend(contender(who), NOT))
      const order: string[] = []
      const waiting = put.map(async ({ revision }, at) => {
        const side = at % 2 === 0 ? one : other
        expect((await side.claims.state({ kind: 'elect', name: 'main', revision }, LONG))?.holds).toBe(true)
        const who = ['a', 'b', 'c'][at] ?? ''
        order.push(who)
        expect(await other.claims.release('elect', 'main', who, revision)).toBe(true)
      })
      await Promise.all(waiting)
      expect(order).toEqual(['a', 'b', 'c'])
    }),
  )

  it(
    'who dies is followed by the next when its lease ends',
    using(async ({ one, under }) => {
      const dead = await one.claims.contend(contender('dead', { lease: { ttlMs: 1000 } }), NOT)
      const next = await one.claims.contend(contender('next', { lease: { ttlMs: 60_000 } }), NOT)
      const waiting = one.claims.state({ kind: 'elect', name: 'main', revision: next.revision }, LONG)
      await pass(under, 1500)
      expect((await waiting)?.holds).toBe(true)
      expect(await one.claims.state({ kind: 'elect', name: 'main', revision: dead.revision }, LONG)).toBeUndefined()
      await rejects(one.claims.expectations(parseFence(formatFence(dead.key, dead.revision))), 'STALE_FENCE')
    }),
  )

  it(
    'asked again with the same session it answers what it has; another session waits until the place is free',
    using(async ({ one, other }) => {
      const first = await one.claims.contend(contender('a'), NOT)
      expect(await other.claims.contend(contender('a'), NOT)).toEqual(first)
      await rejects(other.claims.contend(contender('a', { session: 'another' }), NOT), 'LOST_RACE')
      await rejects(other.claims.contend(contender('a', { by: 'another' }), NOT), 'LOST_RACE')
      const later = other.claims.contend(contender('a', { session: 'another' }), LONG)
      await one.claims.release('elect', 'main', 'a')
      expect((await later).revision).toBeGreaterThan(first.revision)
    }),
  )

  it(
    'a lease that was taken in vain is given back',
    using(async ({ one }) => {
      await one.claims.contend(contender('a'), NOT)
      for (let round = 0; round < 20; round++) {
        await rejects(
          one.claims.contend(contender('a', { session: `s${round}`, lease: { ttlMs: 3_600_000 } }), NOT),
          'LOST_RACE',
        )
      }
      await rejects(one.claims.contend(contender('b', { lease: { leaseId: 'unknown' } }), NOT), 'LEASE_ENDED')
      expect((await one.claims.line('elect', 'main')).line.map(({ who }) => who)).toEqual(['a'])
    }),
  )

  it(
    'seats and readers share as the rule has it',
    using(async ({ one }) => {
      const lock = async (who: string, seats: number) =>
        one.claims.contend(contender(who, { kind: 'lock', name: 'rw', seats }), NOT)
      const holds = async (put: { revision: number }) =>
        (await one.claims.stateNow({ kind: 'lock', name: 'rw', revision: put.revision }, NOT))?.holds
      const readers = [await lock('r1', 1_000_000), await lock('r2', 1_000_000)]
      const writer = await lock('w', 1)
      const late = await lock('r3', 1_000_000)
      expect([await holds(readers[0]!), await holds(readers[1]!), await holds(writer), await holds(late)]).toEqual([
        true,
        true,
        false,
        false,
      ])
      await one.claims.release('lock', 'rw', 'r1')
      await one.claims.release('lock', 'rw', 'r2')
      expect([await holds(writer), await holds(late)]).toEqual([true, false])
    }),
  )

  it(
    'a fence is good while its claim holds, not before, not after, and in the very commit of a write',
    using(async ({ one, other, store }) => {
      const kind: ClaimKind = 'elect'
      const holder = await one.claims.contend(contender('a'), NOT)
      const waiter = await one.claims.contend(contender('b'), NOT)
      const good = parseFence(formatFence(holder.key, holder.revision))
      const early = parseFence(formatFence(waiter.key, waiter.revision))
      const expected = await other.claims.expectations(good)
      expect(expected).toEqual([{ key: keys.claim(kind, 'main', 'a'), revision: holder.revision }])
      await rejects(other.claims.expectations(early), 'STALE_FENCE')
      await rejects(other.claims.expectations({ ...good, revision: good.revision - 1 }), 'STALE_FENCE')
      await one.claims.release(kind, 'main', 'a')
      expect((await store.commit({ expect: expected, changes: [put('t/x', '1')] })).committed).toBe(false)
      await rejects(other.claims.expectations(good), 'STALE_FENCE')
      expect(await other.claims.expectations(early)).toBeDefined()
      // Who comes back has another revision: the old fence stays stale.
      await one.claims.release(kind, 'main', 'b')
      await one.claims.contend(contender('a'), NOT)
      await rejects(other.claims.expectations(good), 'STALE_FENCE')
    }),
  )

  it(
    'what a leader proclaims is seen with it and ends with it',
    using(async ({ one, other }) => {
      const { key, revision } = await one.claims.contend(contender('a', { value: { url: 'x' } }), NOT)
      const fence = parseFence(formatFence(key, revision))
      expect((await other.claims.line('elect', 'main')).line.map(({ value }) => value)).toEqual([{ url: 'x' }])
      await other.claims.proclaim(fence, { by: 'nobody', url: 'y' })
      expect((await other.claims.line('elect', 'main')).line.map(({ value, who }) => [who, value])).toEqual([
        ['a', { by: 'nobody', url: 'y' }],
      ])
      await one.claims.release('elect', 'main', 'a')
      await rejects(other.claims.proclaim(fence, 1), 'STALE_FENCE')
      expect((await other.claims.line('elect', 'main')).line).toEqual([])
      expect(await one.claims.lines('elect')).toEqual(new Map())
    }),
  )

  it(
    'releasing one that has gone to another takes nothing away',
    using(async ({ one }) => {
      const first = await one.claims.contend(contender('a'), NOT)
      await one.claims.release('elect', 'main', 'a')
      const second = await one.claims.contend(contender('a', { session: 'b' }), NOT)
      expect(await one.claims.release('elect', 'main', 'a', first.revision)).toBe(false)
      expect(await one.claims.release('elect', 'main', 'a', second.revision)).toBe(true)
    }),
  )

  it(
    'many elections at once have one leader each',
    using(async ({ one, other }) => {
      const rounds = await Promise.all(
        Array.from({ length: SIZE }, async (_, at) => {
          const name = `e${at}`
          const [a, b] = await Promise.all([
            one.claims.contend(contender('a', { name }), NOT),
            other.claims.contend(contender('b', { name }), NOT),
          ])
          const states = await Promise.all(
            [a, b].map(({ revision }) => one.claims.state({ kind: 'elect', name, revision }, NOT)),
          )
          return states.filter((state) => state?.holds).length
        }),
      )
      expect(rounds).toEqual(rounds.map(() => 1))
    }),
  )
}

function barrierTests(using: Using): void {
  it(
    'opens when all are there, and not before, generation after generation',
    using(async ({ one, other }) => {
      for (let generation = 1; generation <= 3; generation++) {
        const sides = [one, other, one]
        const first = await Promise.all(
          ['a', 'b'].map((who, at) =>
            sides[at]!.barriers.arrive(arrival(who, 3, { session: `${who}${generation}` }), LONG.signal),
          ),
        )
        expect(first.map((put) => put.generation)).toEqual([generation, generation])
        expect(await one.barriers.state('gate', generation, NOT)).toMatchObject({
          passed: false,
          arrived: expect.toSatisfy((all: string[]) => all.length === 2),
        })
        const waiting = sides
          .slice(0, 2)
          .map((side, at) => side.barriers.state('gate', generation, LONG, ['a', 'b'][at]))
        await sides[2]!.barriers.arrive(arrival('c', 3, { session: `c${generation}` }), LONG.signal)
        for (const state of await Promise.all(waiting)) expect(state).toMatchObject({ generation, passed: true })
      }
    }),
  )

  it(
    'takes exactly as many as it needs when more come at once',
    using(async ({ one, other }) => {
      const put = await Promise.all(
        Array.from({ length: 12 }, (_, at) =>
          (at % 2 === 0 ? one : other).barriers.arrive(arrival(`w${at}`, 4), LONG.signal),
        ),
      )
      const counts = new Map<number, number>()
      for (const { generation } of put) counts.set(generation, (counts.get(generation) ?? 0) + 1)
      expect([...counts].toSorted(([a], [b]) => a - b)).toEqual([
        [1, 4],
        [2, 4],
        [3, 4],
      ])
      expect(await one.barriers.state('gate', undefined, NOT)).toEqual({
        generation: 4,
        parties: 4,
        passed: false,
        arrived: [],
      })
    }),
  )

  it(
    'who dies drops out, and is told so if it was only slow',
    using(async ({ one, under }) => {
      await one.barriers.arrive(arrival('dead', 2, { lease: { ttlMs: 1000 } }), LONG.signal)
      const asked = one.barriers.state('gate', 1, LONG, 'dead')
      await pass(under, 1500)
      expect(await asked).toEqual({ generation: 1, parties: 2, passed: false, arrived: [] })
      await one.barriers.arrive(arrival('a', 2), LONG.signal)
      expect(await one.barriers.state('gate', 1, NOT)).toMatchObject({ passed: false, arrived: ['a'] })
      await one.barriers.arrive(arrival('b', 2), LONG.signal)
      expect(await one.barriers.state('gate', 1, NOT)).toMatchObject({ passed: true })
    }),
  )

  it(
    'asked again with the same session it answers the generation it is in, also when that has passed',
    using(async ({ one, other }) => {
      const a = await one.barriers.arrive(arrival('a', 2), LONG.signal)
      expect(await other.barriers.arrive(arrival('a', 2), LONG.signal)).toEqual(a)
      await rejects(other.barriers.arrive(arrival('a', 2, { session: 'another' }), LONG.signal), 'LOST_RACE')
      await one.barriers.arrive(arrival('b', 2), LONG.signal)
      expect(await other.barriers.arrive(arrival('a', 2), LONG.signal)).toEqual(a)
      expect((await one.barriers.arrive(arrival('a', 2, { session: 'next' }), LONG.signal)).generation).toBe(2)
    }),
  )

  it(
    'refuses another number of parties while somebody waits, and takes it when nobody does',
    using(async ({ one }) => {
      await one.barriers.arrive(arrival('a', 2), LONG.signal)
      await rejects(one.barriers.arrive(arrival('b', 3), LONG.signal), 'LOST_RACE')
      await one.barriers.leave('gate', 'a')
      await one.barriers.arrive(arrival('b', 1), LONG.signal)
      expect(await one.barriers.state('gate', 1, NOT)).toMatchObject({ passed: true, parties: 1 })
    }),
  )

  it(
    'of a double one everybody waits until all have left',
    using(async ({ one, other }) => {
      for (const who of ['a', 'b']) await one.barriers.arrive(arrival(who, 2), LONG.signal)
      expect(await one.barriers.leave('gate', 'a')).toBe(1)
      expect(await one.barriers.inside('gate', 1, NOT)).toEqual(['b'])
      const waiting = other.barriers.inside('gate', 1, LONG)
      expect(await other.barriers.leave('gate', 'b')).toBe(1)
      expect(await waiting).toEqual([])
    }),
  )
}

function waitTests(using: Using): void {
  const param = { in: 'params', key: 'ready' } as const
  const key = keys.profile('web')
  const profile = (ready: unknown): string => JSON.stringify({ params: { ready }, meta: {} })

  it(
    'are answered at once when it is so already, and by the change that makes it so',
    using(async ({ one, other, store }) => {
      const waiting = one.waits.until(key, param, { is: 'equals', value: true }, LONG)
      const gone = other.waits.until(key, param, { is: 'exists' }, LONG)
      await commit(store, put(key, profile(false)))
      const revision = await commit(store, put(key, profile(true)))
      expect(await waiting).toEqual({ met: true, revision, value: true })
      expect(await gone).toMatchObject({ met: true })
      expect(await one.waits.until(key, param, { is: 'equals', value: true }, NOT)).toMatchObject({ met: true })
      expect(await one.waits.until(key, param, { is: 'absent' }, NOT)).toEqual({ met: false, revision, value: true })
      const absent = one.waits.until(key, param, { is: 'absent' }, LONG)
      await commit(store, { op: 'delete', key })
      expect(await absent).toEqual({ met: true, revision: 0, value: undefined })
    }),
  )

  it(
    'end when their time is over, and when who waits goes away, and leave nothing behind',
    using(async ({ one }) => {
      expect(await one.waits.until(key, param, { is: 'exists' }, { ...LONG, ms: 20 })).toEqual({
        met: false,
        revision: 0,
        value: undefined,
      })
      const stop = new AbortController()
      const waiting = one.waits.until(key, param, { is: 'exists' }, { ms: 60_000, signal: stop.signal })
      await expect.poll(() => one.board.waiting).toBe(1)
      stop.abort(new Error('gone'))
      await expect(waiting).rejects.toThrow('gone')
      expect(one.board.waiting).toBe(0)
    }),
  )

  it(
    'of many for one value are all answered by one change',
    using(async ({ one, store }) => {
      const waiting = Array.from({ length: SIZE * 5 }, () =>
        one.waits.until(key, param, { is: 'equals', value: 1 }, LONG),
      )
      await expect.poll(() => one.board.waiting).toBe(SIZE * 5)
      await commit(store, put(key, profile(1)))
      for (const { met } of await Promise.all(waiting)) expect(met).toBe(true)
      expect(one.board.waiting).toBe(0)
    }),
  )

  it(
    'look at what a node shows',
    using(async ({ one, store }) => {
      const meta = keys.meta('n1')
      const waiting = one.waits.until(meta, { in: 'meta', key: 'phase' }, { is: 'equals', value: 'done' }, LONG)
      await commit(store, put(meta, 'no JSON'))
      await commit(store, put(meta, JSON.stringify({ phase: 'done' })))
      expect(await waiting).toMatchObject({ met: true, value: 'done' })
    }),
  )

  it(
    'see what changed while the watch was broken',
    using(async ({ one, store }) => {
      const waiting = one.waits.until(key, param, { is: 'equals', value: 'late' }, LONG)
      await expect.poll(() => one.board.waiting).toBe(1)
      for (let round = 0; round < 3; round++) await commit(store, put(key, profile(round)))
      await commit(store, put(key, profile('late')))
      expect(await waiting).toMatchObject({ met: true })
      expect(STORE_LIMITS.prefixes).toBeGreaterThanOrEqual(5)
    }),
  )
}
