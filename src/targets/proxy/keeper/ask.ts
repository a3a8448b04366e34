import type { Clock } from '../../../core/clock.ts'
import { HttpClient, readBody } from '../../../lib/http.ts'
import { withDeadline } from '../../../lib/waiting.ts'
import type { Asker, Place } from './health.ts'

export interface AskOptions {
  readonly clock: Clock
  /** Starts with a slash; of a page that is small and costs nothing. */
  readonly path: string
  /** Where it lists what it serves, a name in each line, as ERDDAP's `allDatasets` does in CSV. */
  readonly listPath?: string | undefined
  readonly status: number
  readonly timeoutMs: number
}

const BODY_BYTES = 1024 * 1024
const LIST_BYTES = 16 * 1024 * 1024
/** While everything loads, nothing is quick. */
const LIST_MS = 5000

/** Asks one application for one page, over a connection that is kept; no redirects, bounded in bytes and time. */
export function askOverHttp({ clock, path, listPath, status, timeoutMs }: AskOptions, { host, port }: Place): Asker {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const client = new HttpClient({ url, silenceMs: timeoutMs })
  return {
    ask: async () =>
      await withDeadline(clock, timeoutMs, async (late) => {
        const answer = await client.send({ method: 'GET', path, signal: late })
        await readBody(answer, BODY_BYTES)
        return answer.statusCode === status
      }),
    items:
      listPath === undefined
        ? undefined
        : async () =>
            await withDeadline(clock, LIST_MS, async (late) => {
              const answer = await client.send({ method: 'GET', path: listPath, signal: late })
              const lines = (await readBody(answer, LIST_BYTES)).toString('utf8').split('\n')
              if (answer.statusCode === 401 || answer.statusCode === 403) return undefined
              return new Set(answer.statusCode === 200 ? lines.map(withoutQuotes) : [])
            }),
    close: () => client.close(),
  }
}

function withoutQuotes(line: string): string {
  return line.trim().replace(/^"(.*)"$/, '$1')
}
