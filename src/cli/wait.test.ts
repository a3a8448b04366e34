import { expect, test } from 'vitest'
import type { NodeAnswer, StatusAnswer } from '../core/api.ts'
import { statusOf } from '../core/status.ts'
import type { NodeTarget, TargetState } from '../core/target.ts'
import { settle } from './wait.ts'

function node(name: string, state: TargetState | 'lost' | 'new', staged = 2, served = staged): NodeAnswer {
  const target: NodeTarget = {
    kind: 'erddap',
    atMs: 0,
    state: state === 'lost' || state === 'new' ? 'in-step' : state,
    staged,
    applied: staged,
    served,
    warnings: [],
    progress: { done: 0, total: 1 },
    troubled: {},
  }
  return {
    node: name,
    liveness: state === 'lost' ? 'lost' : 'alive',
    targets: state === 'new' ? {} : { datasets: target },
  }
}

function status(release: number, ...nodes: NodeAnswer[]): StatusAnswer {
  const changes = { added: 0, removed: 0, changed: 0 }
  const record = {
    tree: 'datasets',
    number: release,
    manifest: '',
    author: '',
    message: '',
    atMs: 0,
    items: 1,
    changes,
  }
  return statusOf('datasets', record, nodes)
}

test('done when every node proves the release', () => {
  expect(settle(status(2, node('a', 'in-step'), node('b', 'in-step')), 2, 0)).toBe('in-step')
})

test('waits while any node is busy, has not reported or serves the release before', () => {
  expect(settle(status(2, node('a', 'in-step'), node('b', 'pending')), 2, 0)).toBeUndefined()
  expect(settle(status(2, node('a', 'in-step'), node('b', 'in-step', 1)), 2, 0)).toBeUndefined()
  expect(settle(status(2, node('a', 'in-step'), node('b', 'new')), 2, 0)).toBeUndefined()
})

test('a failure counts once nobody is busy any more', () => {
  expect(settle(status(2, node('a', 'failed', 2, 1), node('b', 'pending', 2, 1)), 2, 0)).toBeUndefined()
  expect(settle(status(2, node('a', 'failed', 2, 1), node('b', 'in-step')), 2, 0)).toBe('failed')
})

test('a failure of the release before counts only if it stays', () => {
  const old = status(2, node('a', 'failed', 1, 0))
  expect(settle(old, 2, 100)).toBeUndefined()
  expect(settle(old, 2, 6000)).toBe('failed')
})

test('a node that is lost leaves it pending, with nobody to say that it failed', () => {
  expect(settle(status(2, node('a', 'lost'), node('b', 'in-step')), 2, 60_000)).toBeUndefined()
})

test('another release in between ends the wait, and so does a cluster without nodes', () => {
  expect(settle(status(3, node('a', 'pending')), 2, 0)).toBe('superseded')
  expect(settle(status(2), 2, 0)).toBe('nobody')
})
