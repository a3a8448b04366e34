import { describe, expect, test } from 'vitest'
import type { PendingRequest } from '../../../core/release.ts'
import type { TargetReport } from '../../../core/target.ts'
import { treeOf } from '../../../../test/helpers/erddap-tree.ts'
import type { Application } from './application.ts'
import type { Shown } from './info-page.ts'
import { NO_LOG } from './load-log.ts'
import type { Actual, Desired, Effect, FlagFolders, Prepared, Step } from './model.ts'
import { EMPTY_STATE, type Failure, type Flagged, type FlagKind, type NodeState, type Version } from './node-state.ts'
import { plan } from './plan.ts'
import { report } from './report.ts'

const OURS = 'f'.repeat(64)
const OLDER = 'e'.repeat(64)
const SOMEBODYS = 'd'.repeat(64)
const WRITTEN_MS = 1_000_000
const NOW_MS = 2_000_000
const PATIENCE = { settleMs: 2000, startMs: 60_000, flagMs: 120_000, retryMs: 5000 }

const dataset = (id: string, parts: Partial<Desired> = {}): Desired => ({
  id,
  type: 'EDDTableFromAsciiFiles',
  active: true,
  tombstone: false,
  digest: `${id}-new`,
  source: Buffer.from(`<dataset datasetID="${id}"/>`),
  path: `${id}.xml`,
  line: 1,
  restricted: false,
  files: [],
  ...parts,
})

function prepared(datasets: readonly Desired[], requests: readonly PendingRequest[] = []): Prepared {
  return {
    number: 7,
    compiled: {
      chunks: [],
      size: 0,
      sha256: OURS,
      datasets,
      lists: [],
      topDigest: 'top',
      warnings: [],
      locate: (line) => ({ file: 'fragment.xml', line: line - 100 }),
    },
    datasets: new Map(datasets.map((each) => [each.id, each])),
    sideFiles: new Map(),
    tree: treeOf({}),
    requests,
    samples: [],
    warnings: [],
  }
}

type Running = Extract<Application, { readonly is: 'up' }>

const up = (ids: readonly string[], parts: Partial<Running> = {}): Running => ({
  is: 'up',
  version: '2.31',
  listing: new Map(ids.map((id) => [id, 'EDDTableFromAsciiFiles'])),
  status: { startedAtMs: 10_000, loading: false, errors: new Map(), brokenOff: undefined },
  ...parts,
})

const LOADING = { startedAtMs: 1, loading: true, errors: new Map(), brokenOff: undefined }

const noFlags: FlagFolders = { set: { hard: new Set(), soft: new Set(), 'bad-files': new Set() }, changedMs: 0 }
const lying = (kind: FlagKind, ...ids: readonly string[]): FlagFolders => ({
  ...noFlags,
  set: { ...noFlags.set, [kind]: new Set(ids) },
})

/** A node that has written the file; ERDDAP has read it, runs since long, and does nothing. */
function actual(parts: Partial<Actual> & { readonly state?: NodeState } = {}): Actual {
  return {
    nowMs: NOW_MS,
    state: stateOf({}),
    datasetsXml: { sha256: OURS, mtimeMs: WRITTEN_MS },
    reading: { sha256: OURS, mtimeMs: WRITTEN_MS + 5000 },
    flags: noFlags,
    sideFiles: new Map(),
    application: up([]),
    log: NO_LOG,
    effects: new Map(),
    shown: new Map(),
    ...parts,
  }
}

const loaded = (id: string, parts: Partial<Version> = {}): [string, Version] => [
  id,
  { digest: `${id}-new`, version: OURS, ...parts },
]
const flagged = (id: string, parts: Partial<Flagged> = {}): [string, Flagged] => [
  id,
  {
    digest: `${id}-new`,
    version: OURS,
    kind: 'soft',
    atMs: WRITTEN_MS + 1000,
    attempts: 1,
    wasAbsent: false,
    failure: undefined,
    ...parts,
  },
]

function stateOf(parts: {
  readonly loaded?: readonly [string, Version][]
  readonly flagged?: readonly [string, Flagged][]
  readonly rest?: Partial<NodeState>
}): NodeState {
  return {
    ...EMPTY_STATE,
    applied: 7,
    written: OURS,
    read: OURS,
    topDigest: 'top',
    loaded: new Map(parts.loaded),
    flagged: new Map(parts.flagged),
    ...parts.rest,
  }
}

const brief = (steps: readonly Step[]): readonly string[] =>
  steps.map((step) => {
    if (step.step === 'flag') return `flag ${step.kind} ${step.flags.map(({ id }) => id).join(',')}`
    if (step.step === 'clear-cache') return `clear-cache ${step.ids.join(',')}`
    return step.step
  })

const planned = (release: Prepared, at: Actual): readonly string[] => brief(plan(release, at, PATIENCE))
const reported = (release: Prepared, at: Actual): TargetReport =>
  report(release, at, PATIENCE, { bigParentDirectory: '/data/erddap' })
const effects = (all: object): ReadonlyMap<string, Effect> => new Map(Object.entries(all) as [string, Effect][])
const shown = (all: Readonly<Record<string, Shown | 'absent' | 'private'>>) => new Map(Object.entries(all))
const request = (parts: Partial<PendingRequest>): PendingRequest => ({
  kind: 'reload',
  item: 'a',
  author: 'x',
  atMs: 0,
  generation: 40,
  ...parts,
})

const outcome = (at: Actual) =>
  plan(prepared([A]), at, PATIENCE).flatMap((step) => (step.step === 'record' ? [step.outcome] : []))[0]

const A = dataset('a')
const B = dataset('b')

describe('files first', () => {
  test('datasets.xml that differs is written, and no flag is set in the same plan', () => {
    const at = actual({
      datasetsXml: { sha256: OLDER, mtimeMs: 1 },
      reading: { sha256: OLDER, mtimeMs: 2 },
      state: stateOf({ rest: { read: OLDER } }),
      effects: effects({ a: 'new' }),
    })
    expect(planned(prepared([A]), at)).toEqual(['write'])
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'pending', staged: 7, applied: 0 })
  })

  test('what ERDDAP read of somebody else’s is learnt before it is written over', () => {
    const at = actual({
      datasetsXml: { sha256: SOMEBODYS, mtimeMs: 1 },
      reading: { sha256: SOMEBODYS, mtimeMs: 2 },
      state: EMPTY_STATE,
    })
    expect(planned(prepared([A]), at)).toEqual(['learn', 'write'])
  })

  test('nothing counts as served while ERDDAP has read a file that is not accounted for', () => {
    const served = { application: up(['a']), state: stateOf({ loaded: [loaded('a')], rest: { served: 7 } }) }
    const at = actual({
      ...served,
      nowMs: WRITTEN_MS + 6000,
      reading: { sha256: SOMEBODYS, mtimeMs: WRITTEN_MS + 5000 },
    })
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'pending', served: 0 })
  })

  test('side files come before the definitions that name them, and go last', () => {
    const release = { ...prepared([A]), sideFiles: new Map([['files/x', 'new']]) }
    const at = actual({
      sideFiles: new Map([['files/x', { sha256: 'old', mtimeMs: 0 }]]),
      datasetsXml: undefined,
      reading: undefined,
    })
    expect(planned(release, at)).toEqual(['side-files', 'write'])
    const settled = actual({
      application: up(['a']),
      state: stateOf({ loaded: [loaded('a')], rest: { served: 7, sideFiles: new Map([['files/y', 'old']]) } }),
    })
    expect(planned(prepared([A]), settled)).toEqual(['tidy'])
  })

  test('a node that is in step has nothing to do', () => {
    const at = actual({ application: up(['a']), state: stateOf({ loaded: [loaded('a')], rest: { served: 7 } }) })
    expect(planned(prepared([A]), at)).toEqual([])
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'in-step', applied: 7, served: 7 })
  })
})

describe('flags', () => {
  const changed = actual({
    application: up(['a', 'b', 'c']),
    effects: effects({ a: 'soft', b: 'hard', n: 'new' }),
    state: stateOf({ loaded: [loaded('a', { digest: 'x' }), loaded('b', { digest: 'x' }), loaded('c')] }),
  })
  const release = prepared([A, B, dataset('c'), dataset('n')])

  test('hard ones first, and of one kind only', () => {
    expect(planned(release, changed)).toEqual(['flag hard b'])
  })

  test('then soft ones, all together', () => {
    const at = {
      ...changed,
      effects: effects({ a: 'soft', n: 'new' }),
      state: stateOf({ loaded: [loaded('b'), loaded('c')] }),
    }
    expect(planned(release, at)).toEqual(['flag soft a,n'])
  })

  test.for([
    ['a flag of anybody lies in a folder', { flags: lying('bad-files', 'other') }],
    ['a load runs, says the status page', { application: up(['a', 'b', 'c'], { status: LOADING }) }],
    ['a load runs, says the log', { log: { ...NO_LOG, running: true } }],
    ['ERDDAP read the file just now', { reading: { sha256: OURS, mtimeMs: NOW_MS - 100 } }],
    ['a flag was taken just now', { flags: { ...noFlags, changedMs: NOW_MS - 100 } }],
    ['there is no bigParentDirectory', { flags: undefined }],
  ] as const)('none while %s', ([, parts]) => {
    expect(planned(release, { ...changed, ...parts })).toEqual([])
  })

  test('with flags of the same kind that others set: one poll takes them all', () => {
    const at = { ...changed, flags: lying('hard', 'other') }
    expect(planned(release, at)).toEqual(['flag hard b'])
  })

  test('none that was set already and waits', () => {
    const at = actual({
      application: up(['a']),
      flags: lying('soft', 'a'),
      effects: effects({ a: 'soft' }),
      state: stateOf({ flagged: [flagged('a', { atMs: NOW_MS - 1000 })] }),
    })
    expect(planned(prepared([A]), at)).toEqual([])
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'pending', items: { a: { state: 'loading' } } })
  })

  test('a dataset that is off and still served gets its own; one that is in no file is unloaded hard', () => {
    const off = dataset('a', { active: false })
    expect(planned(prepared([off]), actual({ application: up(['a']) }))).toEqual(['flag soft a'])
    expect(planned(prepared([off]), actual({ application: up(['z']) }))).toEqual(['flag hard z'])
  })

  test('settings outside of datasets: one dataset, the one with the shortest definition', () => {
    const long = dataset('b', { source: Buffer.alloc(500) })
    const at = actual({
      application: up(['a', 'b']),
      reading: { sha256: OLDER, mtimeMs: 5 },
      state: stateOf({ loaded: [loaded('a'), loaded('b')], rest: { topDigest: 'old', read: OLDER } }),
    })
    expect(planned(prepared([long, A]), at)).toEqual(['flag soft a'])
    expect(reported(prepared([long, A]), at).state).toBe('pending')
  })
})

describe('ERDDAP is down', () => {
  const down: Application = { is: 'down', why: 'nothing listens there' }

  test('nothing is flagged softly: it reads everything as it starts', () => {
    const at = actual({
      application: down,
      effects: effects({ a: 'soft', b: 'new' }),
      state: stateOf({ loaded: [loaded('a', { digest: 'x' })] }),
    })
    expect(planned(prepared([A, B]), at)).toEqual([])
    const error = { code: 'UNREACHABLE', message: 'ERDDAP does not answer: nothing listens there' }
    expect(reported(prepared([A, B]), at)).toMatchObject({ state: 'unproved', applied: 7, served: 0, error })
  })

  test('a hard flag is set, so that the stored index goes before the first load', () => {
    const at = actual({
      application: down,
      effects: effects({ a: 'hard' }),
      state: stateOf({ loaded: [loaded('a', { digest: 'x' })] }),
    })
    expect(planned(prepared([A]), at)).toEqual(['flag hard a'])
  })
})

describe('ERDDAP started after the file was written', () => {
  const fresh: Running = up(['a'], {
    status: {
      startedAtMs: WRITTEN_MS + 1000,
      loading: false,
      errors: new Map(),
      brokenOff: undefined,
    },
  })

  test('what it lists is loaded, without a flag', () => {
    const at = actual({ application: fresh, effects: effects({ a: 'new' }), shown: shown({ a: 'new' }) })
    expect(planned(prepared([A]), at)).toEqual(['record'])
  })

  test('what it lists but has no page for is a lie', () => {
    const at = actual({ application: fresh, effects: effects({ a: 'new' }), shown: shown({ a: 'absent' }) })
    expect(planned(prepared([A]), at)).toEqual(['flag soft a'])
  })

  test('a changed structure gets its hard flag all the same: the stored index may be of the old one', () => {
    const at = actual({ application: fresh, effects: effects({ a: 'hard' }), shown: shown({ a: 'new' }) })
    expect(planned(prepared([A]), at)).toEqual(['flag hard a'])
  })

  test('what is missing a moment after the start is put off, not failed', () => {
    const at = actual({
      nowMs: WRITTEN_MS + 30_000,
      application: { ...fresh, listing: new Map() },
      effects: effects({ a: 'new' }),
    })
    expect(planned(prepared([A]), at)).toEqual([])
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'pending', items: { a: { state: 'loading' } } })
  })
})

describe('proof of a load that was asked for', () => {
  const asked = stateOf({ loaded: [loaded('a', { digest: 'x' })], flagged: [flagged('a')] })

  test('the page shows the change: served, even while other datasets load', () => {
    const at = actual({
      application: up(['a']),
      state: asked,
      shown: shown({ a: 'new' }),
      log: { ...NO_LOG, running: true },
    })
    expect(outcome(at)?.served).toEqual(['a'])
  })

  test('nothing tells the definitions apart: served once the load has ended', () => {
    const at = actual({ application: up(['a']), state: asked, shown: shown({ a: 'same' }) })
    expect(outcome(at)?.served).toEqual(['a'])
    expect(outcome({ ...at, log: { ...NO_LOG, running: true } })).toBeUndefined()
  })

  test.for([
    ['it lists the dataset, but has no page of it', { shown: shown({ a: 'absent' }) }],
    ['it shows the old attributes', { shown: shown({ a: 'old' }) }],
    ['it read an older file last', { reading: { sha256: OLDER, mtimeMs: 5 }, state: { ...asked, read: OLDER } }],
    ['it read those bytes before they were written again', { reading: { sha256: OURS, mtimeMs: WRITTEN_MS - 1 } }],
    [
      'it serves another type under that id',
      { application: up([], { listing: new Map([['a', 'EDDGridFromDap']]) }), shown: shown({ a: 'same' }) },
    ],
    ['the list could not be had', { application: up([], { listing: undefined }) }],
  ] as const)('not served, when %s', ([, parts]) => {
    const at = actual({ application: up(['a']), state: asked, shown: shown({ a: 'new' }), ...parts })
    expect(outcome(at)?.served ?? []).toEqual([])
    expect(reported(prepared([A]), at)).toMatchObject({ served: 0 })
    expect(reported(prepared([A]), at).state).not.toBe('in-step')
  })

  test('a clock that was set back does not hide what ERDDAP read', () => {
    const at = actual({
      nowMs: WRITTEN_MS - 60_000,
      reading: { sha256: OURS, mtimeMs: WRITTEN_MS - 70_000 },
      application: up(['a']),
      state: asked,
      shown: shown({ a: 'new' }),
    })
    expect(outcome(at)?.served).toEqual(['a'])
  })

  test('a dataset that was not served before is proved by being served', () => {
    const at = actual({
      application: up(['a']),
      state: stateOf({ flagged: [flagged('a', { wasAbsent: true })] }),
      shown: shown({ a: 'same' }),
      log: { ...NO_LOG, running: true },
    })
    expect(outcome(at)?.served).toEqual(['a'])
  })

  test('a private dataset is proved by its page’s asking for a login', () => {
    const hidden = dataset('a', { restricted: true })
    const at = actual({ application: up([]), state: asked, shown: shown({ a: 'private' }) })
    expect(brief(plan(prepared([hidden]), at, PATIENCE))).toEqual(['record'])
    const unknown = actual({ application: up([]), state: asked })
    expect(reported(prepared([hidden]), unknown)).toMatchObject({
      state: 'unproved',
      items: { a: { state: 'unproved' } },
    })
  })

  test('a load that had read an older file took the flag: it is set once more', () => {
    const at = actual({
      application: up(['a']),
      state: { ...asked, read: OLDER },
      reading: { sha256: OLDER, mtimeMs: 5 },
    })
    expect(planned(prepared([A]), at)).toEqual(['flag soft a'])
  })
})

describe('failures', () => {
  const asked = stateOf({ flagged: [flagged('a')] })
  const failure: Failure = {
    code: 'LOAD_FAILED',
    message: 'no files',
    file: 'a.xml',
    line: 3,
    attempt: 1,
    atMs: NOW_MS - 1000,
  }

  test('ERDDAP’s reason comes with the fragment’s own line', () => {
    const at = actual({
      state: asked,
      log: { ...NO_LOG, running: false, errors: new Map([['a', { line: 112, message: '0 files found' }]]) },
    })
    expect(planned(prepared([A]), at)).toEqual(['record'])
    expect(reported(prepared([A]), at)).toMatchObject({
      state: 'failed',
      items: {
        a: {
          state: 'failed',
          problem: {
            code: 'LOAD_FAILED',
            file: 'fragment.xml',
            line: 12,
            message: 'ERDDAP could not load it: 0 files found',
            dataset: 'a',
          },
        },
      },
    })
  })

  test('what ERDDAP has put off is awaited for a while, and a failure only then', () => {
    const message =
      'ERDDAP is deferring loading this dataset until after loading other datasets because it was just restarted'
    const log = { ...NO_LOG, running: false, errors: new Map([['a', { line: 112, message }]]) }
    const since = (agoMs: number) =>
      actual({ log, state: stateOf({ flagged: [flagged('a', { atMs: NOW_MS - agoMs })] }) })
    expect(reported(prepared([A]), since(100_000)).items).toMatchObject({ a: { state: 'loading' } })
    expect(reported(prepared([A]), since(130_000)).items).toMatchObject({ a: { state: 'failed' } })
  })

  test('a setting outside of datasets is read with a flag for one that is off, if all are', () => {
    const off = dataset('c', { active: false })
    const reading = { sha256: OLDER, mtimeMs: 5 }
    const at = actual({ reading, state: stateOf({ rest: { topDigest: 'old', read: OLDER } }) })
    expect(planned(prepared([off]), at)).toEqual(['flag soft c'])
  })

  test('without a reason, the place of the dataset', () => {
    expect(reported(prepared([A]), actual({ state: asked })).items['a']?.problem).toMatchObject({
      file: 'a.xml',
      line: 1,
    })
  })

  test('a file that ERDDAP could not read to its end is an error of the target, with its place', () => {
    const at = actual({
      state: asked,
      log: { ...NO_LOG, running: false, brokenOff: { line: 150, message: 'Unexpected tag' } },
    })
    const [step] = plan(prepared([A]), at, PATIENCE)
    expect(step).toMatchObject({
      step: 'record',
      outcome: { failed: [['a', { code: 'LOAD_ABORTED', file: 'fragment.xml', line: 50 }]] },
    })
  })

  test.for([
    [1, 4900, []],
    [1, 5100, ['flag soft a']],
    [2, 29_000, []],
    [2, 31_000, ['flag soft a']],
    [3, 119_000, []],
    [3, 121_000, ['flag soft a']],
    [4, 599_000, []],
    [9, 601_000, ['flag soft a']],
  ] as const)('after attempt %i, %i ms later', ([attempts, agoMs, steps]) => {
    const failed = { ...failure, attempt: attempts, atMs: NOW_MS - agoMs }
    const at = actual({ state: stateOf({ flagged: [flagged('a', { kind: 'hard', attempts, failure: failed })] }) })
    expect(planned(prepared([A]), at)).toEqual(steps)
  })

  test('what is in no file is asked to go by a hard flag each time: a soft one says nothing to ERDDAP', () => {
    const failed = { ...failure, code: 'LOAD_STALE' as const, atMs: NOW_MS - 40_000 }
    const at = actual({
      application: up(['z']),
      state: stateOf({ flagged: [flagged('z', { digest: '', failure: failed })] }),
    })
    expect(planned(prepared([]), at)).toEqual(['flag hard z'])
  })

  test('what failed stays failed while it is tried again, and is served once it is', () => {
    const again = stateOf({ flagged: [flagged('a', { attempts: 2, failure })] })
    const trying = actual({ state: again, flags: lying('soft', 'a') })
    expect(reported(prepared([A]), trying)).toMatchObject({ state: 'failed', items: { a: { state: 'failed' } } })
    const there = actual({ state: again, application: up(['a']), shown: shown({ a: 'new' }) })
    expect(planned(prepared([A]), there)).toEqual(['record'])
  })

  test('a dataset that ERDDAP dropped is no longer served, and is asked for again', () => {
    const at = actual({ state: stateOf({ loaded: [loaded('a')], rest: { served: 7 } }) })
    expect(planned(prepared([A]), at)).toEqual(['flag soft a'])
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'pending', served: 0 })
  })

  test('a new definition is tried at once, whatever became of the old one', () => {
    const at = actual({
      effects: effects({ a: 'new' }),
      state: stateOf({ flagged: [flagged('a', { digest: 'older', failure })] }),
    })
    expect(planned(prepared([A]), at)).toEqual(['flag soft a'])
  })

  test('flags that lie although ERDDAP is idle point to a wrong folder', () => {
    const at = actual({
      application: up(['a']),
      flags: lying('soft', 'a'),
      state: stateOf({ flagged: [flagged('a', { atMs: NOW_MS - 130_000 })] }),
    })
    expect(reported(prepared([A]), at)).toMatchObject({ state: 'failed', error: { code: 'CONFIG_INVALID' } })
  })

  test('a missing bigParentDirectory is said so', () => {
    const error = reported(prepared([A]), actual({ flags: undefined })).error
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: 'bigParentDirectory /data/erddap is not there' })
  })
})

describe('requests', () => {
  const calm = actual({
    application: up(['a', 'b']),
    state: stateOf({ loaded: [loaded('a'), loaded('b')], rest: { served: 7 } }),
  })

  test('one dataset, with the flag that is asked for', () => {
    expect(planned(prepared([A, B], [request({ flag: 'bad-files' })]), calm)).toEqual(['flag bad-files a'])
  })

  test('all that are on', () => {
    const off = dataset('c', { active: false })
    expect(planned(prepared([A, B, off], [request({ item: '*' })]), calm)).toEqual(['flag soft a,b'])
  })

  test('done ones are not done again, newer ones are', () => {
    const requests = new Map([['reload/a', { generation: 40, atMs: 1000 }]])
    const done = { ...calm, state: { ...calm.state, requests } }
    const asked = (parts: Partial<PendingRequest>) =>
      planned(prepared([A, B], [request({ atMs: 1000, ...parts })]), done)
    expect(asked({})).toEqual([])
    expect(asked({ generation: 41 })).toEqual(['flag soft a'])
    // The store was restored from a copy: what it held then is done, what came later has older generations.
    expect(asked({ generation: 20, atMs: 500 })).toEqual([])
    expect(asked({ generation: 30, atMs: 2000 })).toEqual(['flag soft a'])
  })

  test('those of a node’s own pin are its own: done once for each of its revisions, whatever all nodes were asked for', () => {
    const requests = new Map([
      ['reload/a', { generation: 90, atMs: 5000 }],
      ['pin reload/b', { generation: 40, atMs: 1000 }],
    ])
    const done = { ...calm, state: { ...calm.state, requests } }
    const pinned = (parts: Partial<PendingRequest>) => request({ pinned: true, atMs: 1000, ...parts })
    expect(planned(prepared([A, B], [pinned({ item: 'a' })]), done)).toEqual(['flag soft a'])
    expect(planned(prepared([A, B], [pinned({ item: 'b' })]), done)).toEqual([])
    expect(planned(prepared([A, B], [pinned({ item: 'b', generation: 41 })]), done)).toEqual(['flag soft b'])
    const [step] = plan(prepared([A, B], [pinned({ item: 'nobody' })]), done, PATIENCE)
    expect(step).toMatchObject({ outcome: { done: [{ request: 'pin reload/nobody', generation: 40, atMs: 1000 }] } })
  })

  test('for a dataset that is not there: done without doing anything', () => {
    const [step] = plan(prepared([A, B], [request({ item: 'nobody' })]), calm, PATIENCE)
    expect(step).toMatchObject({ step: 'record', outcome: { done: [{ request: 'reload/nobody', generation: 40 }] } })
  })

  test('what is decompressed goes, at once', () => {
    expect(planned(prepared([A, B], [request({ kind: 'clear-cache', item: '*' })]), calm)).toEqual(['clear-cache a,b'])
  })

  test('a log is written out by the look at the status page that came after the request', () => {
    const flush = prepared([A, B], [request({ kind: 'flush-logs', item: '*' })])
    const done = { step: 'record', outcome: { done: [{ request: 'flush-logs/*', generation: 40 }] } }
    const seen = up(['a', 'b'])
    expect(plan(flush, { ...calm, application: seen }, PATIENCE)).toMatchObject([done])
    expect(plan(flush, { ...calm, application: { is: 'down', why: 'x' } }, PATIENCE)).toMatchObject([done])
    expect(planned(flush, { ...calm, application: { ...seen, status: undefined } })).toEqual([])
  })

  test('a stronger flag that is due anyway answers a weaker request', () => {
    const at = {
      ...calm,
      effects: effects({ a: 'hard' }),
      state: stateOf({ loaded: [loaded('a', { digest: 'x' }), loaded('b')] }),
    }
    const [step] = plan(prepared([A, B], [request({})]), at, PATIENCE)
    expect(step).toMatchObject({ step: 'flag', kind: 'hard', done: [{ request: 'reload/a' }] })
  })
})

test('a dataset may be called constructor', () => {
  const odd = dataset('constructor')
  expect(planned(prepared([odd]), actual({ effects: effects({ constructor: 'new' }) }))).toEqual([
    'flag soft constructor',
  ])
  const at = actual({
    application: up(['constructor']),
    state: stateOf({ loaded: [loaded('constructor')], rest: { served: 7 } }),
  })
  expect(reported(prepared([odd]), at)).toMatchObject({ state: 'in-step' })
})
