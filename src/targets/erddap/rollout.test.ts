import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { files, remote, until } from '../../../standin/erddap/test-kit.ts'
import { ErddapNode, settled } from '../../../test/helpers/erddap-node.ts'
import { releaseOf, type ReleaseParts } from '../../../test/helpers/erddap-release.ts'
import { NO_LISTS } from '../../core/lists.ts'

/** What rollouts and the cluster's lists ask of a node, besides a release. */

const A = remote('a', 'A one')
const B = remote('b', 'B one')
const C = remote('c', 'C one')

describe('lists of the cluster', () => {
  const TEMPLATE = `<erddapDatasets>
<requestBlacklist>198.51.100.1</requestBlacklist>
</erddapDatasets>`
  const sources = { 'a.xml': A, 'b.xml': remote('b', 'B with a longer title'), 'datasets.template.xml': TEMPLATE }
  const blocking = (...requestBlacklist: string[]): ReleaseParts => ({ lists: { ...NO_LISTS, requestBlacklist } })
  const statusFrom = async (node: ErddapNode, address: string): Promise<number> =>
    (await fetch(`${node.erddap?.url}/version`, { headers: { 'x-forwarded-for': address } })).status

  test('are in force when it is in step, by one soft flag, and out of force when they are taken away', async () => {
    const { node, flags, events } = await settled(sources)
    expect(await statusFrom(node, '192.0.2.7')).toBe(200)
    await node.inStep(releaseOf(1, sources, blocking('192.0.2.7', '10.1.0.0/16')))
    expect([await statusFrom(node, '192.0.2.7'), await statusFrom(node, '10.1.2.3')]).toEqual([403, 403])
    expect(await statusFrom(node, '198.51.100.1')).toBe(403)
    expect([flags(), events()]).toEqual([['flag a'], ['loaded a by flag']])
    await node.inStep(releaseOf(1, sources, blocking('10.1.0.0/16')))
    expect([await statusFrom(node, '192.0.2.7'), await statusFrom(node, '10.1.2.3')]).toEqual([200, 403])
    await node.inStep(releaseOf(1, sources, blocking()))
    expect([await statusFrom(node, '10.1.2.3'), await statusFrom(node, '198.51.100.1')]).toEqual([200, 403])
    expect(flags()).toEqual(['flag a', 'flag a', 'flag a'])
  })

  test('are taken out of force also where the setting stands in no file otherwise, and by an agent that was restarted', async () => {
    const plain = { 'a.xml': A }
    const { node } = await settled(plain)
    await node.inStep(releaseOf(1, plain, blocking('192.0.2.7')))
    expect(await statusFrom(node, '192.0.2.7')).toBe(403)
    node.forget()
    await node.inStep(releaseOf(2, plain, blocking()))
    expect(await statusFrom(node, '192.0.2.7')).toBe(200)
    expect(node.erddap?.setting('requestBlacklist')).toBe('')
  })

  test('stay in force over releases and rollbacks', async () => {
    const { node } = await settled(sources)
    const parts = blocking('192.0.2.7')
    for (const [number, title] of [
      [2, 'A two'],
      [1, 'A one'],
    ] as const) {
      await node.inStep(releaseOf(number, { ...sources, 'a.xml': A.replace('A one', title) }, parts))
      expect(await statusFrom(node, '192.0.2.7')).toBe(403)
    }
  })

  test('are proved by nothing but a load: until then it is pending', async () => {
    const { node } = await settled(sources)
    node.erddap?.misbehave('stale')
    const blocked = releaseOf(1, sources, blocking('192.0.2.7'))
    for (let turn = 0; turn < 20; turn++) expect((await node.turn(blocked)).state).toBe('pending')
    node.erddap?.misbehave('none')
    await node.inStep(blocked)
    expect(await statusFrom(node, '192.0.2.7')).toBe(403)
  })

  test('what a proxy has to enforce is among the warnings', async () => {
    const node = new ErddapNode()
    const report = await node.turn(releaseOf(1, sources, blocking('2001:db8::/32')))
    expect(report.warnings).toMatchObject([{ code: 'LIST_LEFT' }])
  })
})

describe('samples', () => {
  const wanted = { path: '/info/a/index.csv', status: 200, contains: 'A two', timeoutMs: 5000 }
  const two = { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B }

  test('that are answered as they should be are the last proof', async () => {
    const { node } = await settled({ 'a.xml': A, 'b.xml': B })
    const report = await node.inStep(releaseOf(2, two, { samples: [wanted] }))
    expect(report).toMatchObject({ served: 2 })
    expect(report.error).toBeUndefined()
  })

  test('that are not make it fail, after some tries, although every dataset is served; and it is mended by itself', async () => {
    const { node } = await settled({ 'a.xml': A, 'b.xml': B })
    const states = new Set<string>()
    const bad = releaseOf(2, two, { samples: [wanted, { ...wanted, path: '/files/later.txt', contains: 'x' }] })
    const report = await node.reach(bad, 'failed', ({ state }) => {
      states.add(state)
      return state === 'failed'
    })
    expect(report).toMatchObject({ served: 2, error: { code: 'SAMPLE_FAILED' }, items: { a: { state: 'served' } } })
    expect(report.error?.message).toContain('sample /files/later.txt should be answered with 200 with "x"; got 404')
    expect(report.retrying).toBeUndefined()
    expect(states).not.toContain('in-step')
    await node.inStep(releaseOf(2, two, { samples: [wanted] }))
  })

  test('are not asked for while something is not proved', async () => {
    const { node } = await settled({ 'a.xml': A, 'b.xml': B })
    const failing = { ...two, 'c.xml': files('c', 'C', join(node.root, 'nowhere')) }
    const report = await node.reach(
      releaseOf(2, failing, { samples: [{ ...wanted, contains: 'never' }] }),
      'failed',
      ({ state }) => state === 'failed',
    )
    expect(report.error).toBeUndefined()
    expect(report.items['c']?.problem?.code).toBe('LOAD_FAILED')
  })
})

describe('a change that is taken back', () => {
  test('brings back a dataset that the broken definition made vanish, and only that is loaded', async () => {
    const node = new ErddapNode({ retryMs: 100 })
    const c = files('c', 'C one', node.data)
    const { one, events } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': c }, node)
    const broken = releaseOf(2, { 'a.xml': A, 'b.xml': B, 'c.xml': c.replace('.*\\.csv', 'nothing-like-it') })
    const failed = await node.reach(broken, 'failed', ({ state, retrying }) => state === 'failed' && !retrying)
    expect(node.erddap?.served()).toEqual(['a', 'b'])
    expect(failed.items['c']?.problem).toMatchObject({ code: 'LOAD_FAILED', file: 'c.xml', dataset: 'c' })
    expect(failed.items['c']?.problem?.message).toContain('0 files found')
    node.forget()
    const report = await node.inStep(one)
    expect(report).toMatchObject({ served: 1, progress: { done: 3, total: 3 } })
    expect(node.erddap?.served().toSorted()).toEqual(['a', 'b', 'c'])
    expect(events().filter((event) => /^\w+ [ab] /.test(event))).toEqual([])
  })

  test.for([
    ['2.18', true],
    ['2.18', false],
    ['2.31', true],
    ['2.31', false],
  ] as const)('ERDDAP %s: a file that stopped it in a major load, too; read before: %s', async ([version, isRead]) => {
    const node = new ErddapNode({ retryMs: 100 })
    const { one } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': C }, node, { version })
    // What the check of a release lets through, and this ERDDAP does not know.
    const broken = releaseOf(2, { 'a.xml': A, 'b.xml': B.replace('B one', 'B two'), 'c.xml': C })
    const compiled = node.xml().replace('<dataset type="EDDGridFromDap" datasetID="b"', '<nonsense/>$&')
    const before = node.flagCount()
    const isSet = (): boolean => node.flagCount() > before || readdirSync(join(node.bigParentDir, 'flag')).length > 0
    await node.reach(broken, 'a flag', isSet)
    // ERDDAP reads the new file, and then the one with the mistake, before the agent looks again.
    if (isRead) await until('b is loaded', () => node.erddap?.stats.events.at(-1)?.title === 'B two')
    node.overwrite(compiled)
    await node.erddap?.majorLoad()
    expect(node.erddap?.served()).toEqual(version === '2.31' ? ['a'] : ['a', 'b', 'c'])
    const report = await node.inStep(one)
    expect(report.progress).toEqual({ done: 3, total: 3 })
    expect(node.erddap?.served().toSorted()).toEqual(['a', 'b', 'c'])
    expect(node.erddap?.stats.events.findLast(({ id }) => id === 'b')?.title).toBe('B one')
  })

  test('at any moment of the change ends with what was there before', { timeout: 60_000 }, async () => {
    const node = new ErddapNode({ retryMs: 100 })
    const c = files('c', 'C one', node.data)
    const { one } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': c }, node)
    const two = releaseOf(2, {
      'a.xml': A.replace('A one', 'A two'),
      'c.xml': c.replace('float', 'double'),
      'd.xml': remote('d', 'D'),
    })
    for (let turns = 0; turns < 12; turns++) {
      for (let turn = 0; turn <= turns; turn++) await node.turn(two)
      const report = await node.inStep(one)
      expect(report).toMatchObject({ served: 1, progress: { done: 3, total: 3 } })
      expect(node.erddap?.served().toSorted()).toEqual(['a', 'b', 'c'])
      for (const [id, title] of [
        ['a', 'A one'],
        ['c', 'C one'],
      ]) {
        expect(node.erddap?.stats.events.findLast((event) => event.id === id && event.event === 'loaded')?.title).toBe(
          title,
        )
      }
    }
  })
})

describe('a failure', () => {
  test('may still pass until it happened twice; a file that ERDDAP cannot read is certain at once', async () => {
    const node = new ErddapNode({ retryMs: 300 })
    const { flags } = await settled({ 'a.xml': A }, node)
    const bad = releaseOf(2, { 'a.xml': A, 'c.xml': files('c', 'C', join(node.root, 'nowhere')) })
    const first = await node.reach(bad, 'failed', ({ state }) => state === 'failed')
    expect([first.retrying, flags()]).toEqual([true, ['flag c']])
    const second = await node.reach(bad, 'certain', ({ state, retrying }) => state === 'failed' && retrying !== true)
    expect([second.items['c']?.state, flags()]).toEqual(['failed', ['flag c', 'flag c']])
  })

  test('that passes with the second attempt is none', async () => {
    const node = new ErddapNode({ retryMs: 300 })
    await settled({ 'a.xml': A }, node)
    const late = join(node.root, 'late')
    const two = releaseOf(2, { 'a.xml': A, 'c.xml': files('c', 'C', late) })
    await node.reach(two, 'failed', ({ state }) => state === 'failed')
    mkdirSync(late)
    writeFileSync(join(late, 'one.csv'), 'time,value\n')
    const states = new Set<unknown>()
    await node.reach(two, 'in-step', ({ state, retrying }) => {
      if (state === 'failed') states.add(retrying)
      return state === 'in-step'
    })
    expect([...states].filter((retrying) => retrying !== true)).toEqual([])
  })
})

describe('how long loads take', () => {
  test('is told by dataset and effect, in ERDDAP’s own time, and survives a restart', async () => {
    const node = new ErddapNode()
    const c = files('c', 'C one', node.data)
    const { one } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': c }, node, { loadMs: 40 })
    await node.inStep(
      releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B, 'c.xml': c.replace('float', 'double') }),
    )
    node.forget()
    const report = await node.inStep(
      releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B, 'c.xml': c.replace('float', 'double') }),
    )
    expect(report.loads).toEqual({ a: { soft: 40 }, c: { hard: 40 } })
    const back = await node.inStep(one)
    expect(back.loads).toEqual({ a: { soft: 40 }, c: { hard: 40 } })
    const gone = await node.inStep(releaseOf(3, { 'b.xml': B, 'c.xml': c }))
    expect(gone.loads).toEqual({ c: { hard: 40 } })
  })
})

describe('a clock that is set', () => {
  test.for([3_600_000, -3_600_000])(
    'by %i ms, at rest or in the middle of a change, holds nothing up',
    async (byMs) => {
      const node = new ErddapNode({ retryMs: 300 })
      const c = files('c', 'C one', node.data)
      const { one } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': c }, node)
      node.setClock(byMs)
      const two = releaseOf(2, {
        'a.xml': A.replace('A one', 'A two'),
        'b.xml': B,
        'c.xml': c.replace('float', 'double'),
      })
      await node.inStep(two)
      await node.reach(one, 'a flag', () => node.flagCount() > 2)
      node.setClock(-2 * byMs)
      await node.inStep(one)
      const bad = releaseOf(3, { 'a.xml': A, 'b.xml': B, 'c.xml': files('c', 'C', join(node.root, 'nowhere')) })
      await node.reach(bad, 'failed', ({ state }) => state === 'failed')
      node.setClock(2 * byMs)
      await node.reach(bad, 'certain', ({ state, retrying }) => state === 'failed' && retrying !== true)
      await node.inStep(one)
      expect(node.erddap?.served().toSorted()).toEqual(['a', 'b', 'c'])
    },
  )
})
