import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LinesReleases, linesReleases } from '../../test/helpers/lines-releases.ts'
import { keys } from '../core/keys.ts'
import type { Desired } from '../core/release.ts'
import type { Rollout, RolloutReason, RolloutState } from '../core/rollout.ts'
import { History } from './history.ts'
import { parseManifest } from './manifest.ts'

const REASON: RolloutReason = { code: 'LOAD_FAILED', message: '0 files found', node: 'erd1', file: 'a.txt', line: 1 }

async function desired({ store }: LinesReleases): Promise<Desired> {
  return JSON.parse((await store.get(keys.desired('t')))?.value ?? '{}') as Desired
}

async function rolloutOf({ store }: LinesReleases): Promise<Rollout> {
  return JSON.parse((await store.get(keys.rollout('t')))?.value ?? '{}') as Rollout
}

/** What the service does at the end of a rollout. */
async function end(setup: LinesReleases, state: RolloutState): Promise<void> {
  const { reason: _before, ...rollout } = await rolloutOf(setup)
  const ended = {
    ...rollout,
    state,
    endedAtMs: setup.clock.nowMs(),
    ...(state === 'rolled-back' && { reason: REASON }),
  }
  const { release, manifest } = rollout
  await setup.store.commit({
    changes: [
      { op: 'put', key: keys.rollout('t'), value: JSON.stringify(ended) },
      ...(state === 'done'
        ? [{ op: 'put' as const, key: keys.desired('t'), value: JSON.stringify({ release, manifest }) }]
        : []),
    ],
  })
}

async function removedIn({ releases, blobs }: LinesReleases, number: number): Promise<readonly string[]> {
  const { manifest } = await releases.get('t', number)
  return Object.keys(parseManifest(await blobs.read(manifest)).removed)
}

/** r1 is served; r2, which changes x and adds y, is on its way. */
async function onItsWay(): Promise<LinesReleases> {
  const setup = linesReleases()
  await setup.release({ 'a.txt': 'x=1' })
  await setup.release({ 'a.txt': 'x=2\ny=1' }, { strategy: {}, message: 'better' })
  return setup
}

async function takenBack(): Promise<LinesReleases> {
  const setup = await onItsWay()
  await end(setup, 'rolled-back')
  return setup
}

describe('a release in waves', () => {
  test('is a record and a rollout in one commit, and what is desired stays', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const before = (await setup.store.list('')).revision
    const answer = await setup.release({ 'a.txt': 'x=2\ny=1' }, { strategy: { canary: 2, soakMs: 0 } })
    expect(answer).toMatchObject({ changed: true, release: { number: 2 }, strategy: { canary: 2, wave: 1, soakMs: 0 } })
    expect((await setup.store.list('')).revision).toBe(before + 1)
    expect(await desired(setup)).toMatchObject({ release: 1 })
    expect(await rolloutOf(setup)).toMatchObject({
      release: 2,
      manifest: answer.release.manifest,
      from: await desired(setup),
      effects: { x: 'soft', y: 'added' },
      strategy: { canary: 2 },
      state: 'running',
      author: 'anna',
    })
  })

  test('is one where the policy of the tree says so, and is not where the release says otherwise', async () => {
    const setup = linesReleases()
    await setup.releases.rollouts.setPolicy('t', { wave: 3 }, 'ben')
    expect(await setup.release({ 'a.txt': 'x=1' })).toMatchObject({ release: { number: 1 }, strategy: undefined })
    expect(await setup.release({ 'a.txt': 'x=2' }, { strategy: 'all-at-once' })).toMatchObject({ strategy: undefined })
    expect(await desired(setup)).toMatchObject({ release: 2 })
    expect(await setup.release({ 'a.txt': 'x=3' }, { strategy: { canary: 2 } })).toMatchObject({
      strategy: { canary: 2, wave: 3 },
    })
    await end(setup, 'done')
    expect(await setup.release({ 'a.txt': 'x=4' })).toMatchObject({ strategy: { canary: 1, wave: 3 } })
  })

  test('of unchanged contents begins nothing', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    expect(await setup.release({ 'a.txt': 'x=1' }, { strategy: {} })).toMatchObject({ changed: false })
    expect(await setup.store.get(keys.rollout('t'))).toBeUndefined()
  })

  test('that is only tried says how it would go, and begins nothing', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const tried = await setup.release({ 'a.txt': 'x=2' }, { strategy: { wave: 2 }, dryRun: true })
    expect(tried).toMatchObject({ release: { number: 2 }, strategy: { wave: 2 } })
    expect(await setup.store.get(keys.rollout('t'))).toBeUndefined()
  })

  test.for([
    ['a release', async ({ release }) => release({ 'a.txt': 'x=3' })],
    [
      'a release to every node at once',
      async ({ release }) => release({ 'a.txt': 'x=3' }, { strategy: 'all-at-once' }),
    ],
    ['one in waves', async ({ release }) => release({ 'a.txt': 'x=3' }, { strategy: {} })],
    ['a rollback', async ({ releases }) => releases.rollback('t', { to: 1 }, 'ben')],
    ['a switch', async ({ releases }) => releases.setActive('t', 'x', { active: false }, 'ben')],
    ['a deleted file', async ({ releases }) => releases.putFiles('t', { delete: ['a.txt'] }, '', 'ben')],
    ['a reload in waves', ({ releases }) => releases.requestInWaves('t', { kind: 'reload' }, OUT)],
    ['another rollout', ({ releases }) => releases.rollOut('t', 2, OUT)],
  ] as readonly (readonly [string, (setup: LinesReleases) => Promise<unknown>])[])(
    'holds up %s until it has ended: it says who, how far it is, and what to do',
    async ([, change]) => {
      const setup = await onItsWay()
      for (const state of ['running', 'paused', 'reverting'] as const) {
        await end(setup, state)
        const before = await setup.store.list('')
        const refused = change(setup)
        await expect(refused).rejects.toMatchObject({
          code: 'ROLLOUT_RUNNING',
          message: expect.stringMatching(/r2.*anna/) as string,
          details: { hint: expect.stringContaining('flotilla rollout abort') as string },
        })
        expect(await setup.store.list('')).toEqual(before)
      }
    },
  )

  test('does not hold up a trial, nor a reload of every node at once', async () => {
    const setup = await onItsWay()
    expect(await setup.release({ 'a.txt': 'x=3' }, { dryRun: true })).toMatchObject({ changed: true })
    await setup.releases.request('t', { kind: 'reload', datasets: ['x'] }, 'ben')
  })

  test('and one that begins at the same moment: of two, one is made', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1' })
    const both = await Promise.allSettled([
      setup.release({ 'a.txt': 'x=2' }, { strategy: {} }),
      setup.release({ 'a.txt': 'x=3' }),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const lost = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult
    expect(['LOST_RACE', 'ROLLOUT_RUNNING']).toContain((lost.reason as { code: string }).code)
    const isRolling = (await setup.store.get(keys.rollout('t'))) !== undefined
    expect(await desired(setup)).toMatchObject({ release: isRolling ? 1 : 2 })
    expect((await setup.releases.history('t', 10)).releases.map(({ number }) => number)).toEqual([2, 1])
  })
})

describe('a release that was taken back', () => {
  test('keeps its number: the next has the next one, and starts from what is desired', async () => {
    const setup = await takenBack()
    const next = await setup.release({ 'a.txt': 'x=1\nz=1' })
    expect(next).toMatchObject({
      release: { number: 3, base: 1, changes: { added: 1, removed: 0, changed: 0 } },
      changes: [{ id: 'z', effect: 'added' }],
    })
    expect(await desired(setup)).toMatchObject({ release: 3 })
    const after = await setup.release({ 'a.txt': 'x=1' })
    expect(after.release).toMatchObject({ number: 4 })
    expect(after.release).not.toHaveProperty('base')
  })

  test('is no base: who looked at it has lost no race with what is desired', async () => {
    const setup = await takenBack()
    await expect(setup.release({ 'a.txt': 'x=3' }, { base: 2 })).rejects.toMatchObject({ code: 'LOST_RACE' })
    expect(await setup.release({ 'a.txt': 'x=3' }, { base: 1 })).toMatchObject({ release: { number: 3 } })
  })

  test('leaves a mark of what it had added: a node that still serves it unloads it', async () => {
    const setup = await takenBack()
    await setup.release({ 'a.txt': 'x=3' })
    expect(await removedIn(setup, 3)).toEqual(['y'])
    await setup.release({ 'a.txt': 'x=3\ny=9' })
    expect(await removedIn(setup, 4)).toEqual([])
  })

  test('leaves no switch behind', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1\ny=1' })
    await setup.releases.setActive('t', 'y', { active: false, strategy: {} }, 'ben')
    await end(setup, 'rolled-back')
    await setup.release({ 'a.txt': 'x=2\ny=1' })
    const { items } = await setup.releases.items('t')
    expect(items.map(({ id, active }) => [id, active])).toEqual([
      ['x', true],
      ['y', true],
    ])
  })

  test('stands in the history with the reason, also once another rollout has come after it', async () => {
    const setup = await takenBack()
    const outcome = { state: 'rolled-back', reason: REASON }
    expect((await setup.releases.history('t', 10)).outcomes).toMatchObject({ 2: outcome })
    await setup.release({ 'a.txt': 'x=3' }, { strategy: {} })
    const { outcomes, releases } = await setup.releases.history('t', 10)
    expect(releases.map(({ number }) => number)).toEqual([3, 2, 1])
    expect(outcomes).toMatchObject({ 2: outcome, 3: { state: 'running' } })
    await end(setup, 'done')
    expect(Object.keys((await setup.releases.history('t', 10)).outcomes ?? {})).toEqual(['2'])
  })

  test('stands among the changes of a dataset, and what came after is compared with what was served', async () => {
    const setup = await takenBack()
    await setup.release({ 'a.txt': 'x=3' })
    expect(await setup.releases.changesOf('t', 'x')).toMatchObject([
      { release: 3, change: { effect: 'soft' } },
      { release: 2, change: { effect: 'soft' }, outcome: { state: 'rolled-back' } },
      { release: 1, change: { effect: 'added' } },
    ])
    expect(await setup.releases.changesOf('t', 'y')).toMatchObject([{ release: 2, change: { effect: 'added' } }])
  })

  test('can be taken out once more while nothing else was made desired, and is then as any other', async () => {
    const setup = await takenBack()
    const { rollout } = await setup.releases.rollOut('t', 2, { strategy: { wave: 5 }, author: 'ben' })
    expect(rollout).toMatchObject({
      release: 2,
      from: { release: 1 },
      effects: { x: 'soft', y: 'added' },
      author: 'ben',
    })
    await end(setup, 'done')
    expect(await setup.releases.history('t', 10)).not.toHaveProperty('outcomes')
    const next = await setup.release({ 'a.txt': 'x=4' })
    expect(next.release).toMatchObject({ number: 3, changes: { removed: 1 } })
  })

  test('cannot be once something else was, nor can a release that is older, or the one that is served', async () => {
    const setup = await takenBack()
    await setup.release({ 'a.txt': 'x=3' })
    for (const number of [1, 2, 3]) {
      const again = setup.releases.rollOut('t', number, OUT)
      await expect(again).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
    await expect(setup.releases.rollOut('t', 9, OUT)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('keeps its contents, and so does what is served, however many were taken back since', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=served' })
    for (let turn = 0; turn < 60; turn++) {
      await setup.release({ 'a.txt': `x=${turn}` }, { strategy: {} })
      await end(setup, 'rolled-back')
    }
    await setup.clock.advance(2 * 3_600_000)
    const { removed } = await setup.releases.sweep()
    expect(removed).toBeGreaterThan(0)
    expect((await setup.releases.items('t')).items).toMatchObject([{ id: 'x' }])
    expect((await setup.releases.items('t', 61)).items).toMatchObject([{ id: 'x' }])
    expect(await setup.release({ 'a.txt': 'x=new' })).toMatchObject({ release: { number: 62, base: 1 } })
  })

  test('never makes a number twice or leaves one out, whatever was served', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }), async (served, ahead) => {
        const { store, blobs } = linesReleases()
        for (let number = 1; number <= served + ahead; number++) {
          await store.commit({ changes: [{ op: 'put', key: keys.release('t', number), value: '{}' }] })
        }
        expect(await new History(store, blobs).newestNumber('t', served, {})).toBe(served + ahead)
      }),
      { numRuns: 60 },
    )
  })
})

const OUT = { strategy: {}, author: 'ben' }

describe('requests in waves', () => {
  test('are a rollout of what is served, with what they do to each dataset', async () => {
    const setup = linesReleases()
    await setup.release({ 'a.txt': 'x=1\ny=off\nz=1' })
    const request = { kind: 'reload', flag: 'hard', datasets: ['x', 'x'] } as const
    const { rollout } = await setup.releases.requestInWaves('t', request, { ...OUT, strategy: { wave: 2 } })
    expect(rollout).toMatchObject({
      ...(await desired(setup)),
      from: await desired(setup),
      requests: [{ kind: 'reload', flag: 'hard', item: 'x', author: 'ben' }],
      effects: { x: 'hard' },
      strategy: { wave: 2 },
    })
    await end(setup, 'done')
    const all = await setup.releases.requestInWaves('t', { kind: 'reload', flag: 'soft' }, OUT)
    expect(all.rollout).toMatchObject({ requests: [{ item: '*' }], effects: { x: 'soft', z: 'soft' } })
    expect(all.rollout.effects).not.toHaveProperty('y')
  })

  test('of what is not there are refused, also before the first release', async () => {
    const setup = linesReleases()
    const nothing = setup.releases.requestInWaves('t', { kind: 'reload' }, OUT)
    await expect(nothing).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await setup.release({ 'a.txt': 'x=1' })
    const unknown = setup.releases.requestInWaves('t', { kind: 'reload', datasets: ['w'] }, OUT)
    await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await setup.store.get(keys.rollout('t'))).toBeUndefined()
  })
})
