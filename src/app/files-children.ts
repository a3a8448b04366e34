import type { Clock } from '../core/clock.ts'
import { childrenReportOf, type NodeFiles } from '../core/files/report.ts'
import type { ChildView } from '../core/push/distribution.ts'
import type { Service } from '../core/service.ts'
import { exposition, type Family } from '../lib/exposition.ts'
import { sleepQuietly } from '../lib/waiting.ts'

/** A tree, and how its children fare. */
export interface FedTree {
  readonly name: string
  readonly distribution: { children(): readonly ChildView[] }
}

/** The trees that are served just now, for whoever tells about them. */
export interface ServedNow {
  trees: readonly FedTree[]
}

const TELL_MS = 2000
/** What is under way changes with every file. */
const AGAIN_MS = 10_000

/** Tells the cluster of the children of each tree, where it has any. */
export function tellingOfChildren(
  trees: readonly FedTree[],
  tell: (tree: string, report: NodeFiles) => void,
  clock: Clock,
): Service {
  const told = new Map<string, { readonly state: string; readonly atMs: number }>()
  const look = ({ name, distribution }: FedTree): void => {
    const report = childrenReportOf(distribution.children(), clock.nowMs())
    const before = told.get(name)
    if (report === undefined) return
    if (before?.state === report.state && clock.monotonicMs() - before.atMs < AGAIN_MS) return
    told.set(name, { state: report.state, atMs: clock.monotonicMs() })
    tell(name, report)
  }
  return {
    name: 'what is told of children',
    run: async (signal) => {
      do trees.forEach(look)
      while (await sleepQuietly(clock, TELL_MS, signal))
    },
  }
}

const STATES: readonly ChildView['state'][] = ['in-step', 'sending', 'waiting', 'unreachable', 'refused']

/** For a Prometheus: what each child of each tree lacks. */
export function childrenMetrics({ trees }: ServedNow, nowMs: number): string {
  const all = trees.flatMap(({ name: tree, distribution }) =>
    distribution.children().map((view) => ({ labels: { tree, child: view.name }, view })),
  )
  const gauge = (name: string, help: string, of: (view: ChildView) => number): Family => ({
    name: `flotilla_files_child_${name}`,
    type: 'gauge',
    help,
    samples: all.map(({ labels, view }) => ({ labels, value: of(view) })),
  })
  return exposition([
    gauge('operations', 'Operations that a child lacks.', ({ behind }) => behind.operations),
    gauge('bytes', 'Bytes that a child lacks.', ({ behind }) => behind.bytes),
    gauge('oldest_seconds', 'Age of the oldest operation that a child lacks.', ({ behind: { sinceMs = nowMs } }) =>
      Math.max(0, (nowMs - sinceMs) / 1000),
    ),
    gauge('stuck', 'Operations that a child could not take.', ({ stuck }) => stuck),
    {
      name: 'flotilla_files_child_state',
      type: 'gauge',
      help: 'State of a child: 1 for the one it is in.',
      samples: all.flatMap(({ labels, view }) =>
        STATES.map((state) => ({ labels: { ...labels, state }, value: view.state === state ? 1 : 0 })),
      ),
    },
  ])
}
