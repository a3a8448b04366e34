import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { NO_LISTS } from '../core/lists.ts'
import { silent } from '../core/log.ts'
import type { PendingRequest } from '../core/release.ts'
import type { StagedRelease, Target, TargetReport, TargetState } from '../core/target.ts'
import { Wake } from '../lib/wake.ts'
import { Reconciler } from './reconcile.ts'
import { Uptake } from './uptake.ts'
import type { Reason } from './wake.ts'
import type { Wanted } from './wish.ts'

const wanted = (release: number, requests: readonly PendingRequest[] = []): Wanted => ({
  desired: { release, manifest: `m${release}` },
  requests,
  asOf: release,
})

const reload = (generation: number): PendingRequest => ({
  kind: 'reload',
  item: 'a',
  author: 'anna',
  atMs: 0,
  generation,
})

/** A target that notes what it is asked, and does what the test says. */
class ScriptedTarget implements Target<StagedRelease, number, string> {
  readonly kind = 'scripted'
  readonly calls: string[] = []
  applied = 0
  state: TargetState = 'in-step'
  steps = (release: number, actual: number): readonly string[] => (actual === release ? [] : [`write ${release}`])
  fail: Partial<Record<'prepare' | 'observe' | 'apply', (release: number) => Error | undefined>> = {}
  onApply: () => void = () => undefined
  onObserve: () => void = () => undefined

  async prepare(release: StagedRelease): Promise<StagedRelease> {
    this.#note('prepare', release.number)
    return release
  }

  async observe(prepared: StagedRelease): Promise<number> {
    this.#note('observe', prepared.number)
    this.onObserve()
    return this.applied
  }

  plan({ number }: StagedRelease, actual: number): readonly string[] {
    return this.steps(number, actual)
  }

  async apply(step: string): Promise<void> {
    this.calls.push(step)
    this.onApply()
    const error = this.fail.apply?.(Number(step.split(' ')[1]))
    if (error !== undefined) throw error
    if (step.startsWith('write')) this.applied = Number(step.split(' ')[1])
  }

  report({ number }: StagedRelease, actual: number): TargetReport {
    return {
      state: this.state,
      staged: number,
      applied: actual,
      served: actual,
      warnings: [],
      progress: { done: 1, total: 1 },
      items: {},
    }
  }

  /** What it was asked since it was last looked at. */
  news(): readonly string[] {
    return this.calls.splice(0)
  }

  #note(what: 'prepare' | 'observe', release: number): void {
    this.calls.push(`${what} ${release}`)
    const error = this.fail[what]?.(release)
    if (error !== undefined) throw error
  }
}

class Setup {
  readonly clock = new VirtualClock()
  readonly target = new ScriptedTarget()
  readonly wake = new Wake<Reason>(this.clock)
  readonly reports: TargetReport[] = []
  /** What each report takes account of. */
  readonly accounts: (number | undefined)[] = []
  readonly texts: Map<string, string>
  readonly staged: number[] = []
  readonly before: (number | undefined)[] = []
  readonly stop = new AbortController()
  readonly reconciler: Reconciler
  wanted: Wanted | undefined
  stageError: (release: number) => Error | undefined = () => undefined
  durable: () => Promise<void> | void = () => undefined

  constructor(texts = new Map<string, string>()) {
    onTestFinished(() => this.stop.abort())
    this.texts = texts
    const common = { tree: 'datasets', target: this.target, clock: this.clock, log: silent, random: () => 0 }
    const uptake = new Uptake({
      ...common,
      stage: async ({ desired, requests }, { before }) => {
        this.staged.push(desired.release)
        this.before.push(before?.staged.number)
        const error = this.stageError(desired.release)
        if (error !== undefined) throw error
        const manifest = { format: 1, kind: 'scripted', files: [], active: {}, removed: {} } as const
        const tree = { files: [], read: async () => new Uint8Array() }
        return { release: { number: desired.release, manifest, tree, requests }, durable: async () => this.durable() }
      },
      memory: {
        load: async (name) => this.texts.get(name),
        save: async (name, text) => void this.texts.set(name, text),
      },
    })
    this.reconciler = new Reconciler({
      ...common,
      uptake,
      wanted: () => this.wanted,
      wake: this.wake,
      report: (report, asOf) => {
        this.reports.push(report)
        this.accounts.push(asOf)
      },
      pace: { pollMinMs: 500, pollMaxMs: 2000, settledMs: 30_000 },
    })
  }

  async start(): Promise<void> {
    void this.reconciler.run(this.stop.signal)
    await this.clock.advance(0)
  }

  async want(next: Wanted): Promise<void> {
    this.wanted = next
    this.wake.poke('wanted')
    await this.clock.advance(0)
  }

  /** When it looked, in the next `ms`. */
  async looksIn(ms: number): Promise<readonly number[]> {
    const from = this.clock.monotonicMs()
    const looks: number[] = []
    this.target.onObserve = () => void looks.push(Math.round(this.clock.monotonicMs() - from))
    await this.clock.advance(ms)
    return looks
  }
}

const unreachable = (): Error => new FlotillaError('UNREACHABLE', 'nothing listens there')
const malformed = (): Error =>
  new FlotillaError('PREPARE_FAILED', 'two files are malformed', {
    problems: [
      { severity: 'warning', code: 'PATH_MISSING', file: 'a.xml', message: 'no folder' },
      { severity: 'error', code: 'XML_MALFORMED', file: 'b.xml', line: 3, column: 7, message: 'not closed' },
    ],
  })

test('a release is staged, prepared, observed, applied and observed again, then left alone', async () => {
  const at = new Setup()
  await at.start()
  expect(at.target.news()).toEqual([])
  await at.want(wanted(1))
  expect(at.staged).toEqual([1])
  expect(at.target.news()).toEqual(['prepare 1', 'observe 1', 'write 1', 'observe 1'])
  expect(at.reports.map(({ applied }) => applied)).toEqual([1, 1])
  await at.clock.advance(10_000)
  expect(at.target.news()).toEqual([])
})

test('it is prepared again only when the release or the requests change, and staged only for a release', async () => {
  const at = new Setup()
  await at.start()
  await at.want(wanted(1))
  at.target.news()
  await at.want(wanted(1))
  expect(at.target.news()).toEqual(['observe 1'])
  await at.want(wanted(1, [reload(7)]))
  expect(at.target.news()).toEqual(['prepare 1', 'observe 1'])
  await at.want(wanted(1, [reload(7)]))
  expect(at.target.news()).toEqual(['observe 1'])
  await at.want(wanted(1, [reload(9)]))
  expect(at.target.news()).toEqual(['prepare 1', 'observe 1'])
  expect(at.staged).toEqual([1])
})

test('while the application works it is looked at more and more slowly, and seldom once it is done', async () => {
  const at = new Setup()
  at.target.state = 'pending'
  await at.start()
  await at.want(wanted(1))
  expect(await at.looksIn(10_000)).toEqual([500, 1250, 2375, 4063, 6063, 8063])
  at.target.state = 'in-step'
  expect(await at.looksIn(60_000)).toEqual([63, 27_063, 54_063])
})

test('an application that is down is looked for often at first, then less and less', async () => {
  const at = new Setup()
  at.target.state = 'unproved'
  await at.start()
  await at.want(wanted(1))
  const looks = await at.looksIn(120_000)
  expect(looks.slice(0, 4)).toEqual([500, 1250, 2375, 4063])
  expect((looks.at(-1) ?? 0) - (looks.at(-2) ?? 0)).toBeGreaterThan(25_000)
})

test('what somebody changed on the node is looked at at once', async () => {
  const at = new Setup()
  await at.start()
  await at.want(wanted(1))
  at.target.news()
  at.target.applied = 0
  at.wake.poke('local')
  await at.clock.advance(0)
  expect(at.target.news()).toEqual(['observe 1', 'write 1', 'observe 1'])
})

test('a release that cannot be prepared is told with its place, and the one before stays', async () => {
  const at = new Setup()
  await at.start()
  await at.want(wanted(1))
  at.target.news()
  at.target.fail.prepare = (release) => (release === 2 ? malformed() : undefined)
  await at.want(wanted(2))
  expect(at.target.news()).toEqual(['prepare 2', 'observe 1'])
  expect(at.reports.at(-1)).toMatchObject({
    state: 'failed',
    staged: 2,
    applied: 1,
    served: 1,
    error: { code: 'XML_MALFORMED', file: 'b.xml', line: 3, column: 7, message: 'not closed' },
  })
  // Nothing but another release can help: it is not tried again.
  await at.clock.advance(600_000)
  expect(at.target.news().filter((call) => call !== 'observe 1')).toEqual([])
  // The last good configuration is kept as it was meanwhile.
  at.target.applied = 0
  await at.clock.advance(30_000)
  expect(at.target.news()).toContain('write 1')
  await at.want(wanted(3))
  expect(at.reports.at(-1)).toMatchObject({ state: 'in-step', staged: 3, applied: 3 })
  expect(at.reports.at(-1)?.error).toBeUndefined()
})

test('a person who asks makes it try again what was refused', async () => {
  const at = new Setup()
  await at.start()
  at.target.fail.prepare = malformed
  await at.want(wanted(1))
  expect(at.reports.at(-1)).toMatchObject({ state: 'failed', staged: 1, applied: 0, served: 0 })
  at.target.fail = {}
  at.wake.poke('local')
  await at.clock.advance(60_000)
  expect(at.target.applied).toBe(0)
  at.wake.poke('manual')
  await at.clock.advance(0)
  expect(at.target.applied).toBe(1)
})

test('bytes that cannot be had are asked for again after growing pauses', async () => {
  const at = new Setup()
  await at.start()
  at.stageError = unreachable
  await at.want(wanted(1))
  expect(at.reports.at(-1)).toMatchObject({ state: 'failed', staged: 0, error: { code: 'UNREACHABLE' } })
  await at.clock.advance(100_000)
  expect(at.staged).toHaveLength(8)
  at.stageError = () => undefined
  await at.clock.advance(30_000)
  expect(at.target.applied).toBe(1)
})

test('what the release in use has need not be looked for, but after a failure nothing is taken for granted', async () => {
  const at = new Setup()
  await at.start()
  await at.want(wanted(1))
  at.stageError = (release) => (at.staged.length === 2 && release === 2 ? unreachable() : undefined)
  await at.want(wanted(2))
  await at.clock.advance(2000)
  await at.want(wanted(3))
  expect(at.staged).toEqual([1, 2, 2, 3])
  expect(at.before).toEqual([undefined, 1, undefined, 2])
})

test('an error while applying is told and tried again, not in a loop that does not rest', async () => {
  const at = new Setup()
  await at.start()
  at.target.fail.apply = () =>
    new FlotillaError('DISK_FULL', 'no room', { file: '/erddap/datasets.xml', hint: 'Free some.' })
  await at.want(wanted(1))
  expect(at.reports.at(-1)).toMatchObject({
    state: 'failed',
    error: { code: 'DISK_FULL', message: 'no room', file: '/erddap/datasets.xml', hint: 'Free some.' },
  })
  // The attempt itself leaves its mark in the folder that is watched.
  at.target.onApply = () => at.wake.poke('local')
  await at.clock.advance(100_000)
  expect(at.target.news().filter((call) => call === 'write 1')).toHaveLength(8)
  at.target.fail = {}
  at.target.onApply = () => undefined
  await at.clock.advance(30_000)
  expect(at.reports.at(-1)).toMatchObject({ state: 'in-step', applied: 1 })
})

test('an error without a code is told as ours', async () => {
  const at = new Setup()
  await at.start()
  at.target.fail.observe = () => new TypeError('x is undefined')
  await at.want(wanted(1))
  expect(at.reports.at(-1)).toMatchObject({ state: 'failed', error: { code: 'INTERNAL', message: 'x is undefined' } })
})

test('a plan that never gets empty does not run hot', async () => {
  const at = new Setup()
  at.target.steps = () => ['touch it']
  await at.start()
  await at.want(wanted(1))
  at.target.news()
  await at.clock.advance(60_000)
  expect(at.target.news().filter((call) => call === 'touch it').length).toBeLessThanOrEqual((5 * 60_000) / 500)
})

const steps = (release: number): string[] => ['first', 'second', 'third'].map((name) => `${name} ${release}`)

test('a newer release takes over between two steps, not within one', async () => {
  const at = new Setup()
  at.target.steps = (release, actual) => (actual === release ? [] : [...steps(release), `write ${release}`])
  at.target.onApply = () => {
    if (at.target.calls.at(-1) === 'second 1') at.wanted = wanted(2)
  }
  await at.start()
  await at.want(wanted(1))
  const steps1 = ['prepare 1', 'observe 1', 'first 1', 'second 1']
  const steps2 = ['prepare 2', 'observe 2', ...steps(2), 'write 2', 'observe 2']
  expect(at.target.news()).toEqual([...steps1, ...steps2])
})

test('a restarted agent goes on with what it remembers, whether or not it hears what is wanted', async () => {
  const before = new Setup()
  await before.start()
  await before.want(wanted(4, [reload(9)]))
  before.stop.abort()
  const after = new Setup(before.texts)
  await after.start()
  expect(after.target.news()).toEqual(['prepare 4', 'observe 4', 'write 4', 'observe 4'])
  await after.want(wanted(4, [reload(9)]))
  expect(after.target.news()).toEqual(['observe 4'])
})

test('a release is remembered before anything of it is applied', async () => {
  const at = new Setup()
  const remembered: (string | undefined)[] = []
  at.target.onApply = () => void remembered.push(at.texts.get('good.datasets'))
  await at.start()
  await at.want(wanted(1))
  expect(remembered).toEqual([JSON.stringify(wanted(1))])
})

test('nothing is remembered or applied of a release whose bytes are not durable', async () => {
  const at = new Setup()
  await at.start()
  await at.want(wanted(1))
  at.target.news()
  at.durable = () => Promise.reject(new FlotillaError('DISK_FULL', 'no room'))
  await at.want(wanted(2))
  expect(at.target.news()).toEqual(['prepare 2', 'observe 1'])
  expect(at.reports.at(-1)).toMatchObject({ state: 'failed', applied: 1, error: { code: 'DISK_FULL' } })
  expect(at.texts.get('good.datasets')).toBe(JSON.stringify(wanted(1)))
})

test('with a memory that cannot be read it goes on with what it hears', async () => {
  const at = new Setup(new Map([['good.datasets', '{"desired":']]))
  await at.start()
  await at.want(wanted(2))
  expect(at.target.applied).toBe(2)
})

test('when what it remembers cannot be had, what is wanted is taken up all the same', async () => {
  const at = new Setup(new Map([['good.datasets', JSON.stringify(wanted(1))]]))
  at.stageError = (release) => (release === 1 ? unreachable() : undefined)
  at.wanted = wanted(2)
  await at.start()
  expect(at.target.applied).toBe(2)
  await at.clock.advance(60_000)
  expect(at.staged).toEqual([1, 2])
})

const diskFull = (): Error => new FlotillaError('DISK_FULL', 'no room')

test('a report takes account of what it was made for; news that change nothing here cost a look and no more', async () => {
  const at = new Setup()
  await at.start()
  await at.want({ ...wanted(1), asOf: 7 })
  expect(at.accounts.at(-1)).toBe(7)
  at.target.news()
  const saved = at.texts.get('good.datasets')
  await at.want({ ...wanted(1), asOf: 9 })
  expect(at.target.news()).toEqual(['observe 1'])
  expect([at.accounts.at(-1), at.reports.at(-1)?.state]).toEqual([9, 'in-step'])
  expect(at.texts.get('good.datasets')).toBe(saved)
})

test('lists and samples that change are prepared, from what lies here', async () => {
  const at = new Setup()
  const seen: StagedRelease[] = []
  const prepare = at.target.prepare.bind(at.target)
  at.target.prepare = async (release) => {
    seen.push(release)
    return await prepare(release)
  }
  await at.start()
  await at.want(wanted(1))
  const lists = { ...NO_LISTS, requestBlacklist: ['192.0.2.7'] }
  const samples = [{ path: '/x', status: 200, timeoutMs: 1000 }]
  await at.want({ ...wanted(1), lists, asOf: 2 })
  await at.want({ ...wanted(1), lists: { ...lists }, samples, asOf: 3 })
  await at.want({ ...wanted(1), lists, samples: [...samples], asOf: 4 })
  expect(seen.map((release) => [release.lists, release.samples])).toEqual([
    [undefined, undefined],
    [lists, undefined],
    [lists, samples],
  ])
  expect(at.staged).toEqual([1])
})

test('a release that is refused for good is told as failed, on account of the wish that was refused', async () => {
  const at = new Setup()
  await at.start()
  await at.want({ ...wanted(1), asOf: 7 })
  at.target.fail.prepare = (release) => (release === 2 ? malformed() : undefined)
  await at.want({ ...wanted(2), asOf: 11 })
  expect([at.reports.at(-1), at.accounts.at(-1)]).toMatchObject([{ state: 'failed', applied: 1, served: 1 }, 11])
  expect(at.reports.at(-1)?.retrying).toBeUndefined()
  await at.want({ ...wanted(2), asOf: 12 })
  expect([at.reports.at(-1)?.state, at.accounts.at(-1)]).toEqual(['failed', 12])
  // The pin is taken away.
  await at.want({ ...wanted(1), asOf: 15 })
  expect([at.reports.at(-1)?.state, at.accounts.at(-1)]).toEqual(['in-step', 15])
})

test('that others do not answer is no outcome, however long it takes', async () => {
  const at = new Setup()
  await at.start()
  await at.want({ ...wanted(1), asOf: 7 })
  at.stageError = (release) => (release === 2 ? unreachable() : undefined)
  await at.want({ ...wanted(2), asOf: 11 })
  await at.clock.advance(3_600_000)
  expect([at.reports.at(-1), at.accounts.at(-1)]).toMatchObject([{ state: 'failed', retrying: true }, undefined])
  at.stageError = () => undefined
  await at.clock.advance(60_000)
  expect([at.reports.at(-1), at.accounts.at(-1)]).toMatchObject([{ state: 'in-step', served: 2 }, 11])
})

test.for(['stage', 'apply'] as const)(
  'what fails here when it %ss is tried three times before it is an outcome',
  async (when) => {
    const at = new Setup()
    await at.start()
    await at.want({ ...wanted(1), asOf: 7 })
    const fails = (release: number): Error | undefined => (release === 2 ? diskFull() : undefined)
    if (when === 'stage') at.stageError = fails
    else at.target.fail.apply = fails
    const from = at.accounts.length
    await at.want({ ...wanted(2), asOf: 11 })
    await at.clock.advance(20_000)
    const told = at.reports
      .slice(from)
      .map(({ state, retrying }, index) => [state, retrying, at.accounts[from + index]])
    expect(told.slice(0, 3)).toEqual([
      ['failed', true, undefined],
      ['failed', true, undefined],
      ['failed', undefined, 11],
    ])
    // Of the next wish nothing has been tried yet.
    await at.want({ ...wanted(2, [reload(12)]), asOf: 12 })
    expect(at.reports.at(-1)).toMatchObject({ state: 'failed', retrying: true })
  },
)

test('a target that says that it tries again is looked at soon, and what it says is no outcome', async () => {
  const at = new Setup()
  await at.start()
  const report = at.target.report.bind(at.target)
  let retrying = true
  at.target.report = (prepared, actual) => {
    return { ...report(prepared, actual), state: 'failed', ...(retrying && { retrying: true }) }
  }
  await at.want(wanted(1))
  expect(at.accounts.at(-1)).toBeUndefined()
  expect((await at.looksIn(10_000)).length).toBeGreaterThan(4)
  retrying = false
  await at.clock.advance(2000)
  expect(at.accounts.at(-1)).toBe(1)
  expect(await at.looksIn(20_000)).toEqual([])
})

test('what was remembered takes account of nothing: the store may say something else by now', async () => {
  const first = new Setup()
  await first.start()
  await first.want({ ...wanted(1), asOf: 7 })
  const again = new Setup(first.texts)
  await again.start()
  expect([again.reports.at(-1)?.state, again.accounts.at(-1)]).toEqual(['in-step', 0])
  await again.want({ ...wanted(1), asOf: 5 })
  expect(again.accounts.at(-1)).toBe(5)
})
