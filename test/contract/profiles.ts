import { describe, expect, it } from 'vitest'
import type { Json } from '../../src/core/json-patch/json.ts'
import type { ProfileOperation } from '../../src/core/profile/change.ts'
import { editOf } from '../../src/core/profile/edit.ts'
import type { Store } from '../../src/core/store.ts'
import { FirstAnswers, type Once, onceOf } from '../../src/lib/once.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { profileAt, readHistory } from '../../src/profiles/history.ts'
import { type Changed, Profiles } from '../../src/profiles/profiles.ts'
import { Schemas } from '../../src/profiles/schemas.ts'
import { type OpenStore, using } from './store/under-test.ts'
import { longest } from '../helpers/soak.ts'

const INCREMENTS = process.env['FLOTILLA_SOAK'] === '1' ? 10_000 : 1000
const WRITERS = 100
const BY = { id: 'one', label: 'somebody' }

/** A hub's part in it: several over one store are as several hubs. */
function serviceOver(store: Store): {
  readonly change: (operations: readonly ProfileOperation[], once?: Once) => Promise<Changed>
  readonly param: (profile: string, param: string) => Promise<Json | undefined>
} {
  const clock = systemClock
  const answers = new FirstAnswers(store, () => clock.monotonicMs())
  const profiles = new Profiles({ store, clock, answers, schemas: new Schemas() })
  return {
    change: (operations, once) =>
      profiles.change(
        operations.map((one, index) => editOf(one, index)),
        { by: BY, once },
      ),
    param: async (profile, param) => (await profiles.get(profile))?.profile.params[param],
  }
}

/** What profiles promise over any store. */
export function profilesContract(name: string, open: OpenStore): void {
  describe(`profiles over ${name}`, () => {
    it(
      `lose none of ${INCREMENTS} increments of ${WRITERS} writers at two hubs, and each is told another number`,
      using(open, async (store) => {
        const hubs = [serviceOver(store), serviceOver(store)]
        await hubs[0]?.change([{ op: 'create', profile: 'p' }])
        const told: Json[] = []
        let left = INCREMENTS
        const writer = async (index: number): Promise<void> => {
          while (left-- > 0) {
            const answer = await hubs[index % 2]?.change([{ op: 'increment', profile: 'p', param: 'n' }])
            told.push(answer?.changes[0]?.value ?? null)
          }
        }
        await Promise.all(Array.from({ length: WRITERS }, (_, index) => writer(index)))
        expect(await hubs[0]?.param('p', 'n')).toBe(INCREMENTS)
        expect(new Set(told).size).toBe(INCREMENTS)
        expect((await readHistory(store, 'p'))[0]?.version).toBe(INCREMENTS + 1)
        expect(await profileAt(store, 'p', INCREMENTS - 50)).toMatchObject({ params: { n: INCREMENTS - 51 } })
      }),
      longest(300_000),
    )

    it(
      'elect one of 64 that compare and set at two hubs',
      using(open, async (store) => {
        const hubs = [serviceOver(store), serviceOver(store)]
        await hubs[0]?.change([{ op: 'create', profile: 'p', params: { leader: 'none' } }])
        const outcomes = await Promise.allSettled(
          Array.from({ length: 64 }, async (_, index) =>
            hubs[index % 2]?.change([{ op: 'set', profile: 'p', param: 'leader', value: index, ref: 'none' }]),
          ),
        )
        const winners = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
        expect(winners).toHaveLength(1)
        expect(await hubs[0]?.param('p', 'leader')).toBe(winners[0])
        const conflict = { actual: winners[0], pointer: '/params/leader' }
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') {
            expect(outcome.reason).toMatchObject({ code: 'LOST_RACE', details: { conflict } })
          }
        }
      }),
    )

    it(
      'keep the sum of two that exchange between each other, in transactions at two hubs',
      using(open, async (store) => {
        const hubs = [serviceOver(store), serviceOver(store)]
        for (const profile of ['a', 'b']) await hubs[0]?.change([{ op: 'create', profile, params: { n: 100 } }])
        const moves = Array.from({ length: 200 }, async (_, index) => {
          const [from, to] = index % 3 === 0 ? ['a', 'b'] : ['b', 'a']
          return hubs[index % 2]?.change([
            { op: 'increment', profile: from ?? '', param: 'n', by: -1 },
            { op: 'increment', profile: to ?? '', param: 'n', by: 1 },
          ])
        })
        await Promise.all(moves)
        const [a, b] = [await hubs[0]?.param('a', 'n'), await hubs[1]?.param('b', 'n')]
        expect(Number(a) + Number(b)).toBe(200)
      }),
    )

    it(
      'answer the same request at two hubs at once with one answer, done once',
      using(open, async (store) => {
        const hubs = [serviceOver(store), serviceOver(store)]
        await hubs[0]?.change([{ op: 'create', profile: 'p' }])
        const once = onceOf('me', 'key', 'increment')
        const answers = await Promise.all(
          Array.from({ length: 20 }, async (_, index) =>
            hubs[index % 2]?.change([{ op: 'increment', profile: 'p', param: 'n' }], once),
          ),
        )
        expect(new Set(answers.map((answer) => JSON.stringify(answer?.changes))).size).toBe(1)
        expect(await hubs[0]?.param('p', 'n')).toBe(1)
        const other = hubs[0]?.change([{ op: 'delete', profile: 'p' }], onceOf('me', 'key', 'delete'))
        await expect(other).rejects.toMatchObject({ code: 'KEY_REUSED' })
      }),
    )
  })
}
