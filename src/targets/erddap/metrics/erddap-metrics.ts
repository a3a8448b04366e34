import type { Clock } from '../../../core/clock.ts'
import { exposition } from '../../../lib/exposition.ts'
import { HttpClient, readBody } from '../../../lib/http.ts'
import { withDeadline } from '../../../lib/waiting.ts'
import { keptMetrics, statusMetrics } from './status-metrics.ts'

interface Options {
  readonly url: string
  readonly timeoutMs: number
  readonly clock: Clock
}

const BYTES_MAX = 16 * 1024 * 1024
/** However often somebody asks, ERDDAP is asked this often. */
const FRESH_MS = 10_000

/** What the ERDDAP of this node tells of itself, for Prometheus; `erddap_up` is 0 when it tells nothing. */
export function erddapMetrics(options: Options): () => Promise<string> {
  const http = new HttpClient({ url: options.url, silenceMs: options.timeoutMs })
  const { clock, timeoutMs } = options
  let held: { readonly atMs: number; readonly text: Promise<string> } | undefined
  const get = async (path: string): Promise<string | undefined> =>
    await withDeadline(clock, timeoutMs, async (signal) => {
      const answer = await http.send({ method: 'GET', path, signal })
      const body = await readBody(answer, BYTES_MAX)
      return answer.statusCode === 200 ? body.toString('utf8') : undefined
    }).catch(() => undefined)
  const look = async (): Promise<string> => {
    const status = await get('/status.html')
    const own = status === undefined ? undefined : await get('/metrics')
    const up = {
      name: 'erddap_up',
      type: 'gauge',
      help: '1 when ERDDAP answers.',
      samples: [{ value: status === undefined ? 0 : 1 }],
    } as const
    return exposition([up, ...statusMetrics(status ?? '')]) + keptMetrics(own ?? '')
  }
  return async () => {
    if (held === undefined || clock.monotonicMs() - held.atMs > FRESH_MS)
      held = { atMs: clock.monotonicMs(), text: look() }
    return await held.text
  }
}
