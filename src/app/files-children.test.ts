import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { NodeFiles } from '../core/files/report.ts'
import type { ChildView } from '../core/push/distribution.ts'
import { childrenMetrics, tellingOfChildren } from './files-children.ts'

const VIEW: ChildView = {
  name: 'leaf:1',
  url: 'http://leaf:1',
  state: 'sending',
  behind: { operations: 3, bytes: 30, sinceMs: 4000 },
  stuck: 1,
  heardMs: 0,
}

test('a Prometheus is told of each child of each tree what it lacks', () => {
  const page = childrenMetrics({ trees: [{ name: 'music', distribution: { children: () => [VIEW] } }] }, 10_000)
  const lines = page.split('\n').filter((line) => !line.startsWith('#') && !line.endsWith(' 0'))
  expect(lines.filter((line) => line !== '')).toEqual([
    'flotilla_files_child_operations{tree="music",child="leaf:1"} 3',
    'flotilla_files_child_bytes{tree="music",child="leaf:1"} 30',
    'flotilla_files_child_oldest_seconds{tree="music",child="leaf:1"} 6',
    'flotilla_files_child_stuck{tree="music",child="leaf:1"} 1',
    'flotilla_files_child_state{tree="music",child="leaf:1",state="sending"} 1',
  ])
})

test('the cluster is told of a change soon, of what is under way now and then, and nothing of trees without children', async () => {
  const clock = new VirtualClock()
  const views: ChildView[] = []
  const told: NodeFiles[] = []
  const trees = [{ name: 'music', distribution: { children: () => views } }]
  const stop = new AbortController()
  const running = tellingOfChildren(trees, (_, report) => void told.push(report), clock).run(stop.signal)
  await clock.advance(20_000)
  expect(told).toEqual([])
  views.push({ ...VIEW, stuck: 0 })
  await clock.advance(9000)
  expect(told.map(({ state }) => state)).toEqual(['pulling'])
  await clock.advance(6000)
  expect(told).toHaveLength(2)
  views[0] = { ...VIEW, stuck: 0, state: 'in-step', behind: { operations: 0, bytes: 0, sinceMs: undefined } }
  await clock.advance(2000)
  expect(told.at(-1)).toMatchObject({ state: 'in-step', children: { count: 1, inStep: 1 } })
  stop.abort()
  await running
})
