import type * as prom from 'prom-client'
import { isName, keys } from '../core/keys.ts'
import type { Desired } from '../core/release.ts'
import type { Rollout } from '../core/rollout.ts'
import { proves } from '../core/status.ts'
import type { Store } from '../core/store.ts'
import { nodesFrom } from './node-entries.ts'

type Prometheus = typeof prom

interface RequestSeen {
  /** The route's pattern, never the path itself: a path may name anything. */
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

export interface Metrics {
  request(seen: RequestSeen): void
  commit(): void
  blobBytes(direction: 'in' | 'out', count: number): void
  /** The page that Prometheus reads. */
  page(): Promise<string>
}

interface MetricsDeps {
  readonly store: Store
  readonly openWatches: () => number
}

const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

/** Counters of one hub, in a registry of its own. The library is loaded here, so that only hubs pay for it. */
export async function createMetrics({ store, openWatches }: MetricsDeps): Promise<Metrics> {
  const prometheus = await import('prom-client')
  const { Counter, Gauge, Histogram } = prometheus
  const registry = new prometheus.Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'flotilla_requests_total',
    help: 'Requests by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: 'flotilla_request_seconds',
    help: 'From a request to the end of its answer, watches aside.',
    buckets: BUCKETS,
    registers,
  })
  const commits = new Counter({ name: 'flotilla_commits_total', help: 'Commits through the store routes.', registers })
  const bytes = new Counter({
    name: 'flotilla_blob_bytes_total',
    help: 'Bytes of blobs received and sent.',
    labelNames: ['direction'],
    registers,
  })
  const watches = new Gauge({ name: 'flotilla_watches', help: 'Watches that are open.', registers })
  const lookAtProcess = processMetrics(prometheus, registry)
  const lookAtCluster = clusterMetrics(prometheus, registry, store)
  return {
    request: ({ route, method, status, seconds: taken }) => {
      requests.inc({ method, route, status })
      seconds.observe(taken)
    },
    commit: () => commits.inc(),
    blobBytes: (direction, count) => bytes.inc({ direction }, count),
    page: async () => {
      watches.set(openWatches())
      lookAtProcess()
      await lookAtCluster()
      return registry.metrics()
    },
  }
}

/** Read from the store whenever the page is made, so that they are those of the cluster, whichever hub is asked. */
function clusterMetrics({ Gauge }: Prometheus, registry: prom.Registry, store: Store): () => Promise<void> {
  const registers = [registry]
  const up = new Gauge({ name: 'flotilla_store_up', help: '1 when the store answers.', registers })
  const revision = new Gauge({ name: 'flotilla_store_revision', help: 'Revision of the store.', registers })
  const nodes = new Gauge({
    name: 'flotilla_nodes',
    help: 'Nodes that joined, by whether they are alive.',
    labelNames: ['liveness'],
    registers,
  })
  const tree = { labelNames: ['tree'], registers }
  const release = new Gauge({ name: 'flotilla_release', help: 'Number of the desired release.', ...tree })
  const inStep = new Gauge({ name: 'flotilla_nodes_in_step', help: 'Nodes that prove the desired release.', ...tree })
  const rollout = new Gauge({
    name: 'flotilla_rollout',
    help: 'The rollout that is under way or the last one: its release, by state.',
    labelNames: ['tree', 'state'],
    registers,
  })
  return async () => {
    for (const metric of [revision, nodes, release, inStep, rollout]) metric.reset()
    try {
      const [desired, listing, rollouts] = await Promise.all([
        store.list(keys.desired('')),
        store.list(keys.nodes),
        store.list(keys.rollouts),
      ])
      for (const { value } of rollouts.entries) {
        const { tree: name, state, release: number } = JSON.parse(value) as Rollout
        rollout.set({ tree: name, state }, number)
      }
      const answers = nodesFrom(listing.entries)
      const alive = answers.filter(({ liveness }) => liveness === 'alive').length
      revision.set(listing.revision)
      nodes.set({ liveness: 'alive' }, alive)
      nodes.set({ liveness: 'lost' }, answers.length - alive)
      for (const { key, value } of desired.entries) {
        const tree = key.slice(keys.desired('').length)
        // Pins stand below.
        if (!isName(tree)) continue
        const { release: number } = JSON.parse(value) as Desired
        release.set({ tree }, number)
        inStep.set({ tree }, answers.filter((node) => proves(node, tree, number)).length)
      }
      up.set(1)
    } catch {
      up.set(0)
    }
  }
}

function processMetrics({ Counter, Gauge }: Prometheus, registry: prom.Registry): () => void {
  const registers = [registry]
  const cpu = new Counter({ name: 'process_cpu_seconds_total', help: 'Processor time used.', registers })
  const memory = new Gauge({ name: 'process_resident_memory_bytes', help: 'Memory in use.', registers })
  const heap = new Gauge({ name: 'nodejs_heap_used_bytes', help: 'Of it, objects of JavaScript.', registers })
  const busy = new Gauge({
    name: 'nodejs_eventloop_utilization',
    help: 'Share of time the event loop worked.',
    registers,
  })
  let before = performance.eventLoopUtilization()
  return () => {
    const { user, system } = process.cpuUsage()
    cpu.reset()
    cpu.inc((user + system) / 1e6)
    memory.set(process.memoryUsage.rss())
    heap.set(process.memoryUsage().heapUsed)
    busy.set(performance.eventLoopUtilization(before).utilization)
    before = performance.eventLoopUtilization()
  }
}
