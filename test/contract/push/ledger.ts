import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys } from '../../../src/core/files/entry.ts'
import type { OpenLedger } from '../../../src/core/push/ledger.ts'
import { compareVersions, isGone, type Operation, type Version } from '../../../src/core/push/operation.ts'
import { LedgerDisk, MemoryLedger } from '../../helpers/ledger.ts'
import type { VirtualClock } from '../../helpers/virtual-clock.ts'
import { longest } from '../../helpers/soak.ts'

export interface LedgerUnderTest {
  readonly ledger: OpenLedger
  readonly clock: VirtualClock
  /** Closes it, or kills its process, and opens it anew. */
  readonly reopen: (how: 'closed' | 'killed') => Promise<LedgerUnderTest>
}

const put = (key: string, version: Version, size = 1): Operation => ({
  key,
  version,
  size,
  sha256: 'ab'.repeat(32),
  modifiedMs: 1_700_000_000_000.5,
  etag: `e-${version.sequence}`,
  headers: { 'content-type': 'text/plain', 'x-amz-meta-ü': '1' },
})
const gone = (key: string, version: Version): Operation => ({ key, version, gone: true })
const at = (sequence: number, epoch = 2_000_000_000): Version => ({ epoch, sequence })
const keysOf = (rows: readonly Operation[]): readonly string[] => rows.map(({ key }) => key)
const ALL = { prefix: '', after: '', limit: 1000 }

/** What every ledger does. `open` makes an empty one. */
export function ledgerContract(name: string, open: () => Promise<LedgerUnderTest>): void {
  describe(name, () => {
    test('an empty one has no position, no rows, and an id of its own', async () => {
      const [{ ledger }, other] = [await open(), await open()]
      expect(ledger.position).toBe(0)
      expect(ledger.newest).toBeUndefined()
      expect(ledger.get('a')).toBeUndefined()
      expect(ledger.after(0, 10)).toEqual([])
      expect(ledger.id).toMatch(/./)
      expect(ledger.id).not.toBe(other.ledger.id)
    })

    test('everything that is told of an operation is kept', async () => {
      const { ledger, clock, reopen } = await open()
      const whole = { ...put('a', at(1), 7), md5: 'cd'.repeat(16) }
      const bare: Operation = { key: 'b/ü', version: at(2), size: 0, modifiedMs: 5, etag: '5-0' }
      expect(await ledger.record(whole)).toBe(true)
      expect(await ledger.record(bare)).toBe(true)
      expect(await ledger.record(gone('c', at(3)))).toBe(true)
      const recordedMs = clock.nowMs()
      const rows = [
        { ...whole, position: 1, recordedMs },
        { ...bare, position: 2, recordedMs },
        { ...gone('c', at(3)), position: 3, recordedMs },
      ]
      for (const again of [async () => ledger, async () => (await reopen('closed')).ledger]) {
        const one = await again()
        expect(one.after(0, 10)).toEqual(rows)
        expect(one.get('b/ü')).toEqual(rows[1])
        expect(one.newest).toEqual(at(3))
      }
    })

    test('a later operation takes the place of the earlier, at the end', async () => {
      const { ledger } = await open()
      for (const [index, key] of ['a', 'b', 'a', 'c'].entries()) await ledger.record(put(key, at(index + 1)))
      expect(keysOf(ledger.after(0, 10))).toEqual(['b', 'a', 'c'])
      expect(ledger.position).toBe(4)
      expect(keysOf(ledger.after(2, 1))).toEqual(['a'])
      expect(ledger.get('a')?.version).toEqual(at(3))
    })

    test('what is as old or older changes nothing', async () => {
      const { ledger } = await open()
      await ledger.record(gone('a', at(5)))
      for (const version of [at(5), at(4), at(9, 1_999_999_999)])
        expect(await ledger.record(put('a', version))).toBe(false)
      expect(ledger.position).toBe(1)
      expect(isGone(ledger.get('a') ?? put('a', at(1)))).toBe(true)
      expect(await ledger.record(put('a', at(1, 2_000_000_001)))).toBe(true)
    })

    test('of operations on one key at one moment the highest stays, and is the only one where all came', async () => {
      const { ledger } = await open()
      const results = await Promise.all([3, 1, 4, 2].map(async (n) => ledger.record(put('a', at(n)))))
      expect(results).toEqual([true, false, true, false])
      expect(ledger.after(0, 10).map(({ version }) => version.sequence)).toEqual([4])
    })

    test('it can be asked beforehand whether an operation is news', async () => {
      const { ledger, clock } = await open()
      await ledger.record(put('a', at(5)))
      await ledger.record(gone('b', at(7)))
      await clock.advance(1)
      await ledger.forget(clock.nowMs(), 2)
      expect([4, 5, 6].map((n) => Math.sign(ledger.compare('a', at(n))))).toEqual([-1, 0, 1])
      expect([6, 7, 8].map((n) => Math.sign(ledger.compare('b', at(n))))).toEqual([-1, -1, 1])
    })

    test('the hash of a file that was found is learned once it is known, of that very file only', async () => {
      const { ledger } = await open()
      const found: Operation = { key: 'a', version: at(2), size: 1, modifiedMs: 1, etag: 'e' }
      await ledger.record(found)
      await ledger.record(put('b', at(3)))
      ledger.learn('a', at(1), 'no')
      ledger.learn('b', at(3), 'no')
      ledger.learn('c', at(3), 'no')
      expect(ledger.get('a')).not.toHaveProperty('sha256')
      ledger.learn('a', at(2), 'yes')
      expect(ledger.get('a')).toMatchObject({ sha256: 'yes', position: 1 })
      expect(ledger.get('b')).toMatchObject({ sha256: 'ab'.repeat(32) })
      expect(keysOf(ledger.after(0, 10))).toEqual(['a', 'b'])
    })

    test('one that begins again knows no operation, has another id, and goes on with its positions', async () => {
      const { ledger, clock, reopen } = await open()
      const { id } = ledger
      await ledger.record(gone('a', at(5)))
      await clock.advance(1)
      await ledger.forget(clock.nowMs(), 1)
      await ledger.record(put('b', at(6)))
      await ledger.restart()
      for (const again of [async () => ledger, async () => (await reopen('killed')).ledger]) {
        const one = await again()
        expect([one.id, one.was]).toEqual([ledger.id, id])
        expect(one.after(0, 10)).toEqual([])
        expect(one.newest).toBeUndefined()
        expect(one.compare('a', at(1))).toBe(1)
        expect(one.position).toBe(2)
      }
      expect(ledger.id).not.toBe(id)
      expect(ledger.was).toBe(id)
      await ledger.record(put('b', at(1)))
      expect(ledger.after(0, 10)).toMatchObject([{ key: 'b', position: 3 }])
    })

    test('pages have the files with a prefix in the order of their keys, without deletions', async () => {
      const { ledger } = await open()
      const keys = ['b/\u{10000}', 'b/\uffff', 'b', 'b/a', 'c', 'a', 'b/']
      for (const [index, key] of keys.entries()) await ledger.record(put(key, at(index + 1)))
      await ledger.record(gone('b/a', at(10)))
      expect(keysOf(ledger.page(ALL))).toEqual(['a', 'b', 'b/', 'b/\uffff', 'b/\u{10000}', 'c'])
      expect(keysOf(ledger.page({ prefix: 'b/', after: '', limit: 10 }))).toEqual(['b/', 'b/\uffff', 'b/\u{10000}'])
      expect(keysOf(ledger.page({ prefix: 'b/', after: 'b/', limit: 1 }))).toEqual(['b/\uffff'])
      expect(keysOf(ledger.page({ prefix: 'b/', after: 'a', limit: 1 }))).toEqual(['b/'])
      expect(keysOf(ledger.page({ prefix: 'b/', after: 'c', limit: 9 }))).toEqual([])
    })

    test('deletions are forgotten when they are old and no child lacks them; nothing older comes back', async () => {
      const { ledger, clock, reopen } = await open()
      await ledger.record(gone('old', at(10)))
      await ledger.record(put('file', at(11)))
      await ledger.record(gone('lacked', at(12)))
      await clock.advance(1000)
      await ledger.record(gone('young', at(13)))
      await ledger.forget(clock.nowMs(), 2)
      for (const one of [ledger, (await reopen('killed')).ledger]) {
        expect(keysOf(one.after(0, 10))).toEqual(['file', 'lacked', 'young'])
        expect(await one.record(put('old', at(9)))).toBe(false)
        expect(await one.record(put('old', at(10)))).toBe(false)
        expect(await one.record(put('unknown', at(10)))).toBe(false)
      }
    })

    test('a position is never given twice, though the last row is forgotten', async () => {
      const { ledger, clock, reopen } = await open()
      await ledger.record(gone('a', at(1)))
      await clock.advance(1)
      await ledger.forget(clock.nowMs(), 1)
      expect(ledger.after(0, 10)).toEqual([])
      const again = (await reopen('closed')).ledger
      expect(again.position).toBe(1)
      await again.record(put('b', at(2)))
      expect(again.after(1, 10)).toMatchObject([{ key: 'b', position: 2 }])
    })

    test('versions grow, are greater than what others gave, and none is given twice', async () => {
      let { ledger, clock, reopen } = await open()
      const own = Math.floor(clock.nowMs() / 1000)
      const given: Version[] = []
      const give = (): void => void given.push(ledger.next())
      for (let n = 0; n < 10; n++) give()
      expect(given).toEqual(Array.from({ length: 10 }, (_, n) => at(n + 1, own)))
      for (const how of ['killed', 'closed', 'killed'] as const) {
        ;({ ledger, clock, reopen } = await reopen(how))
        for (let n = 0; n < 10; n++) give()
      }
      await ledger.record(put('a', at(5, own + 100)))
      give()
      expect(given.at(-1)).toEqual(at(1, own + 101))
      ledger.lead(own + 500)
      ledger.lead(own + 400)
      give()
      expect(given.at(-1)).toEqual(at(1, own + 500))
      ;({ ledger } = await reopen('killed'))
      give()
      for (const [index, version] of given.slice(1).entries())
        expect(compareVersions(version, given[index] ?? version)).toBeGreaterThan(0)
    })

    test('what is known of children, of the parent and of the folder is kept', async () => {
      const { ledger, reopen } = await open()
      const [one, two] = ['http://one/t', 'http://two/t']
      ledger.keep(one, { id: 'x', cursor: 5 })
      ledger.keep(one, { id: 'x', cursor: 7 })
      ledger.keep(two, { id: 'y', cursor: 1 })
      const stuck = (key: string, attempts: number) => ({ key, position: 3, attempts, error: 'no room', nextMs: 12.5 })
      for (const key of ['b', 'a', 'c']) ledger.keepStuck(one, stuck(key, 1))
      ledger.keepStuck(one, stuck('a', 2))
      ledger.keepStuck(two, stuck('a', 1))
      ledger.unstick(one, 'c')
      ledger.forgetChild(two)
      const parent = { id: 'p', name: 'root:80', lineage: 'p', above: ['p'], heardMs: 5 }
      ledger.keepParent(parent)
      ledger.keepAdopted('epoch.12')
      for (const again of [async () => ledger, async () => (await reopen('closed')).ledger]) {
        const book = await again()
        expect(book.child(one)).toEqual({ id: 'x', cursor: 7 })
        expect(book.child(two)).toBeUndefined()
        expect(book.stuck(one, { after: '', limit: 10 })).toEqual([stuck('a', 2), stuck('b', 1)])
        expect(book.stuck(one, { after: 'a', limit: 10 })).toEqual([stuck('b', 1)])
        expect(book.stuck(one, { after: '', limit: 1 })).toEqual([stuck('a', 2)])
        expect(book.stuck(two, { after: '', limit: 10 })).toEqual([])
        expect(book.parent()).toEqual(parent)
        expect(book.adopted()).toBe('epoch.12')
      }
    })

    test('children that have newer files from elsewhere are known until they take something again', async () => {
      const { ledger, reopen } = await open()
      expect(ledger.outdatedBy()).toEqual([])
      for (const url of ['http://b/t', 'http://a/t', 'http://a/t', 'http://c/t']) ledger.keepOutdated(url, true)
      ledger.keepOutdated('http://c/t', false)
      expect(ledger.outdatedBy()).toEqual(['http://a/t', 'http://b/t'])
      expect((await reopen('killed')).ledger.outdatedBy()).toEqual(['http://a/t', 'http://b/t'])
    })

    test('what is about to leave is known until it has a row, or stays', async () => {
      const { ledger, reopen } = await open()
      for (const key of ['c', 'a', 'b', 'a']) ledger.keepLeaving(key, true)
      ledger.keepLeaving('b', false)
      await ledger.record(gone('c', at(1)))
      expect(ledger.leaving()).toEqual(['a'])
      expect((await reopen('killed')).ledger.leaving()).toEqual(['a'])
    })

    test('who fed a node before it became a root stays known, until somebody feeds it again', async () => {
      const parent = { id: 'p', name: 'root:80', lineage: 'p', above: ['p'], heardMs: 5 }
      const { ledger, reopen } = await open()
      expect(ledger.formerParent()).toBeUndefined()
      ledger.keepParent(parent)
      expect(ledger.formerParent()).toBeUndefined()
      ledger.keepParent(undefined)
      ledger.keepParent(undefined)
      expect([ledger.parent(), ledger.formerParent()]).toEqual([undefined, parent])
      expect((await reopen('closed')).ledger.formerParent()).toEqual(parent)
    })

    test('a former root that is fed again has no former parent', async () => {
      const parent = { id: 'p', name: 'root:80', lineage: 'p', above: ['p'], heardMs: 5 }
      const { ledger } = await open()
      ledger.keepParent(parent)
      ledger.keepParent(undefined)
      ledger.keepParent({ ...parent, id: 'q' })
      expect([ledger.parent()?.id, ledger.formerParent()]).toEqual(['q', undefined])
    })

    test('a root has no parent, and a folder of which nothing was adopted no cursor', async () => {
      const { ledger } = await open()
      expect(ledger.parent()).toBeUndefined()
      ledger.keepParent({ id: 'p', name: 'n', lineage: 'p', above: [], heardMs: 0 })
      ledger.keepParent(undefined)
      expect(ledger.parent()).toBeUndefined()
      expect(ledger.adopted()).toBeUndefined()
    })

    test(
      'whatever is recorded, forgotten and restarted, it is as the plainest ledger would be',
      { timeout: longest(600_000) },
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), async (steps) => agree(await open(), steps)),
          {
            numRuns: process.env['FLOTILLA_SOAK'] === '1' ? 2000 : 25,
          },
        )
      },
    )
  })
}

const anyKey = fc.constantFrom('a', 'a/b', 'b', 'ü', '\u{10000}', '\uffff')
const anyOperation = fc.record({
  key: anyKey,
  version: fc.record({ epoch: fc.integer({ min: 1, max: 3 }), sequence: fc.integer({ min: 1, max: 30 }) }),
  isGone: fc.boolean(),
})
type Step =
  | { readonly do: 'record'; readonly operations: readonly Operation[] }
  | { readonly do: 'forget'; readonly ageMs: number; readonly position: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'reopen'; readonly how: 'closed' | 'killed' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(anyOperation, { minLength: 1, maxLength: 4 }).map((operations) => ({
      do: 'record' as const,
      operations: operations.map(({ key, version, isGone: isDeletion }) =>
        isDeletion ? gone(key, version) : put(key, version, version.sequence),
      ),
    })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('forget' as const),
      ageMs: fc.integer({ min: 0, max: 50 }),
      position: fc.nat(40),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 30 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reopen' as const),
      how: fc.constantFrom('closed' as const, 'killed' as const),
    }),
  },
)

async function agree(start: LedgerUnderTest, steps: readonly Step[]): Promise<void> {
  let tested = start
  const { clock } = start
  const disk = new LedgerDisk('model', 1)
  const model = new MemoryLedger(clock, disk)
  for (const step of steps) {
    const { ledger } = tested
    if (step.do === 'record') {
      const results = Promise.all(step.operations.map(async (operation) => ledger.record(operation)))
      const expected = Promise.all(step.operations.map(async (operation) => model.record(operation)))
      expect(await results).toEqual(await expected)
    } else if (step.do === 'forget') {
      for (const one of [ledger, model]) await one.forget(clock.nowMs() - step.ageMs, step.position)
    } else if (step.do === 'wait') {
      await clock.advance(step.ms)
    } else {
      tested = await tested.reopen(step.how)
    }
    expect(tested.ledger.after(0, 1000)).toEqual(model.after(0, 1000))
    expect(tested.ledger.position).toBe(model.position)
    expect(tested.ledger.newest).toEqual(model.newest)
  }
  const page = tested.ledger.page(ALL)
  expect(page).toEqual(model.page(ALL))
  expect(keysOf(page)).toEqual(keysOf(page).toSorted(compareKeys))
  await tested.ledger.close()
}
