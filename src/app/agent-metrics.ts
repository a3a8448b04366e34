import { parseAccessLine } from '../agent/metrics/access-line.ts'
import { metricsPage } from '../agent/metrics/page.ts'
import { Tail } from '../agent/metrics/tail.ts'
import { Traffic } from '../agent/metrics/traffic.ts'
import { type AgentConfig, erddapTargets } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { keyOf } from '../core/routing/key.ts'
import type { Service } from '../core/service.ts'
import { exposition } from '../lib/exposition.ts'
import { keepLogs } from '../targets/erddap/logs/keep-logs.ts'
import { erddapMetrics } from '../targets/erddap/metrics/erddap-metrics.ts'
import { childrenMetrics, type ServedNow } from './files-children.ts'

interface Deps {
  readonly clock: Clock
  readonly log: Logger
  readonly base: string
  readonly served: ServedNow
}

/** What runs beside the reconciling of an agent where it is configured: old logs removed, metrics shown. */
export function careServices(config: AgentConfig, { clock, log, base, served }: Deps): readonly Service[] {
  const targets = erddapTargets(config).map(([, target]) => target)
  const logs = targets.flatMap(({ bigParentDirectory, logRetentionDays: retentionDays }) =>
    retentionDays === undefined ? [] : [keepLogs({ bigParentDirectory, retentionDays, clock, log })],
  )
  if (config.metrics === undefined) return logs
  const { listen, accessLogs } = config.metrics
  const applications = targets.flatMap(({ url, timeoutMs }) => (url === undefined ? [] : [{ url, timeoutMs }]))
  const bases = new Set(['/erddap', ...applications.map(({ url }) => new URL(url).pathname)])
  const rules = [...bases].map((base) => ({ system: 'erddap', base }) as const)
  const traffic = new Traffic((target) => keyOf(target, rules)?.key)
  const onLine = (line: string): void => {
    const request = parseAccessLine(line)
    if (request === undefined) traffic.passOver()
    else traffic.take(request)
  }
  const paths = accessLogs.map((path) => absolute(base, path))
  // With two of them on one node, the first: their numbers have the same names.
  const erddaps = applications.slice(0, 1).map((one) => erddapMetrics({ ...one, clock }))
  const children = async (): Promise<string> => childrenMetrics(served, clock.nowMs())
  const requests = paths.length === 0 ? [] : [async () => exposition(traffic.families())]
  const parts = [...erddaps, ...requests, ...(config.files === undefined ? [] : [children])]
  const page = metricsPage({ ...listen, parts, log })
  return paths.length === 0 ? [...logs, page] : [...logs, page, new Tail({ paths, onLine, clock })]
}
