import type { Clock } from '../../../core/clock.ts'
import { HttpClient, readBody } from '../../../lib/http.ts'
import { withDeadline } from '../../../lib/waiting.ts'
import type { Asker, Place } from './health.ts'

export interface AskOptions {
  readonly clock: Clock
  /** Starts with a slash; of a page that is small and costs nothing. */
  readonly path: string
  readonly status: number
  readonly timeoutMs: number
}

const BODY_BYTES = 1024 * 1024

/** Asks one application for one page, over a connection that is kept; no redirects, bounded in bytes and time. */
export function askOverHttp({ clock, path, status, timeoutMs }: AskOptions, { host, port }: Place): Asker {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const client = new HttpClient({ url, silenceMs: timeoutMs })
  return {
    ask: async () =>
      await withDeadline(clock, timeoutMs, async (late) => {
        const answer = await client.send({ method: 'GET', path, signal: late })
        await readBody(answer, BODY_BYTES)
        return answer.statusCode === status
      }),
    close: () => client.close(),
  }
}
