import { expect, test } from 'vitest'
import type { NodeAnswer } from '../api.ts'
import type { ReleaseRecord } from '../release.ts'
import { statusOf } from '../status.ts'
import type { NodeAlive } from '../target.ts'
import type { ChildView } from '../push/distribution.ts'
import { childrenReportOf, type NodeFiles } from './report.ts'

const FILES: NodeFiles = { state: 'in-step', files: 3, bytes: 30, atMs: 0 }

function node(name: string, files: Readonly<Record<string, NodeFiles>>, alive: Partial<NodeAlive> = {}): NodeAnswer {
  const base = { node: name, version: '1', startedAtMs: 0, instance: name, values: [], trees: [] }
  const filesPulled = Object.keys(files)
  return { node: name, liveness: 'alive', alive: { ...base, filesPulled, ...alive }, targets: {}, files }
}

test('without releases the files are all there is', () => {
  const nodes = [node('a', { data: FILES, runs: FILES }), node('b', { data: FILES })]
  expect(statusOf('datasets', undefined, nodes)).toMatchObject({
    state: 'in-step',
    summary: 'IN STEP files data, 2/2 nodes have them; IN STEP files runs, 1/1 nodes have them',
    files: [
      { tree: 'data', state: 'in-step', nodes: 2, inStep: 2 },
      { tree: 'runs', state: 'in-step', nodes: 1, inStep: 1 },
    ],
  })
  expect(statusOf('runs', undefined, nodes)).toMatchObject({ summary: 'IN STEP files runs, 1/1 nodes have them' })
})

test('a node that lacks files keeps everything from being in step, and is named', () => {
  const behind: NodeFiles = { ...FILES, state: 'pulling', pending: { files: 7, bytes: 70 }, behindSinceMs: 0 }
  const nodes = [node('a', { data: FILES }), node('b', { data: behind })]
  expect(statusOf('datasets', undefined, nodes)).toMatchObject({
    state: 'pending',
    summary: 'PENDING files data, 1/2 nodes have them; b lacks 7',
  })
  const failed: NodeFiles = { ...FILES, state: 'failed', failed: [{ key: 'x/y', code: 'CORRUPT', message: 'damaged' }] }
  expect(statusOf('datasets', undefined, [node('a', { data: failed })])).toMatchObject({
    state: 'failed',
    summary: 'NOT IN STEP files data, 0/1 nodes have them; a: x/y: damaged',
  })
})

test('a node whose children lack something keeps the tree from being in step, and one that cannot be fed is named', () => {
  const view: ChildView = {
    name: 'leaf:1',
    url: 'http://leaf:1',
    state: 'in-step',
    behind: { operations: 0, bytes: 0, sinceMs: undefined },
    stuck: 0,
    heardMs: 0,
  }
  const status = (...views: readonly ChildView[]) =>
    statusOf('music', undefined, [node('root', { music: childrenReportOf(views, 0)! }, { filesPulled: [] })])
  expect(childrenReportOf([], 0)).toBeUndefined()
  expect(status(view)).toMatchObject({ state: 'in-step', summary: 'IN STEP files music, 1/1 nodes have them' })
  const behind: ChildView = { ...view, state: 'sending', behind: { operations: 7, bytes: 70, sinceMs: 5 } }
  expect(status(view, behind)).toMatchObject({
    state: 'pending',
    summary: 'PENDING files music, 0/1 nodes have them; children of root lack 7',
  })
  const away: ChildView = { ...behind, state: 'unreachable', error: 'UNREACHABLE: no answer' }
  expect(status(view, away)).toMatchObject({
    state: 'failed',
    summary: 'NOT IN STEP files music, 0/1 nodes have them; root: its child leaf:1: UNREACHABLE: no answer',
  })
  // The root that leads answers for it.
  const elsewhere = childrenReportOf([{ ...away, isFedElsewhere: true }], 0)
  expect(elsewhere?.children).toMatchObject({ count: 0 })
  expect(statusOf('music', undefined, [node('other', { music: elsewhere! }, { filesPulled: [] })])).toMatchObject({
    state: 'empty',
  })
})

test('a node that has not said anything yet is waited for, and one that is lost is not in step', () => {
  const silent = node('c', {}, { filesPulled: ['data'] })
  expect(statusOf('data', undefined, [node('a', { data: FILES }), silent])).toMatchObject({ state: 'pending' })
  const lost: NodeAnswer = { node: 'd', liveness: 'lost', targets: {}, files: { data: FILES } }
  expect(statusOf('data', undefined, [node('a', { data: FILES }), lost])).toMatchObject({
    state: 'failed',
    summary: 'NOT IN STEP files data, 1/2 nodes have them; d is lost',
  })
})

test('a release that is served does not count as in step while files are not, and a node of files alone is not waited for', () => {
  const release = { tree: 'datasets', number: 3 } as ReleaseRecord
  const served = { kind: 'erddap', state: 'in-step', staged: 3, applied: 3, served: 3, warnings: [], atMs: 0 } as const
  const progress = { progress: { done: 1, total: 1 }, troubled: {} }
  const erd: NodeAnswer = { ...node('erd1', {}), targets: { datasets: { ...served, ...progress } } }
  expect(statusOf('datasets', release, [erd, node('a', { data: FILES })])).toMatchObject({
    state: 'in-step',
    summary: 'IN STEP r3, 1/1 nodes prove it',
    files: [{ tree: 'data', state: 'in-step' }],
  })
  const behind = node('a', { data: { ...FILES, state: 'pulling' } })
  expect(statusOf('datasets', release, [erd, behind])).toMatchObject({
    state: 'pending',
    summary: 'PENDING files data, 0/1 nodes have them; IN STEP r3, 1/1 nodes prove it',
  })
})
