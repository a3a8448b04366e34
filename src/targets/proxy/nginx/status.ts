import { readFile } from 'node:fs/promises'
import { HttpClient, readBody } from '../../../lib/http.ts'

/** What the running nginx says of itself. */
export interface Status {
  readonly config: string
  /** `none` before the first one; undefined without Lua. */
  readonly table: string | undefined
  /** Why it could not take the table of the file. */
  readonly error: string | undefined
  /** Of the worker that answered. */
  readonly pid: number
}

const ANSWER_BYTES = 4096
const SILENCE_MS = 5000

/** Asks nginx, on a connection of its own each time: any worker may answer. With Lua it looks at the table's file first. */
export class StatusClient {
  readonly #http: HttpClient

  constructor(address: string) {
    this.#http = new HttpClient({ url: `http://${address}`, silenceMs: SILENCE_MS })
  }

  /** Undefined where nothing answers, or something that is not ours. */
  async ask(signal?: AbortSignal): Promise<Status | undefined> {
    try {
      const answer = await this.#http.send({
        method: 'GET',
        path: '/flotilla',
        headers: { connection: 'close' },
        ...(signal !== undefined && { signal }),
      })
      const text = (await readBody(answer, ANSWER_BYTES)).toString()
      return answer.statusCode === 200 ? parse(text) : undefined
    } catch {
      signal?.throwIfAborted()
      return undefined
    }
  }
}

function parse(text: string): Status | undefined {
  const line = (name: string): string | undefined => new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]
  const config = line('config')
  if (config === undefined) return undefined
  return { config, table: line('table'), error: line('error'), pid: Number(line('pid')) }
}

/**
 * Which workers still take connections, by the process of one that answered: `undefined` where processes cannot be looked at,
 * as from another container. nginx calls those that do not any more "shutting down".
 */
export async function acceptingWorkers(pid: number): Promise<ReadonlySet<number> | undefined> {
  try {
    const master = /^\d+ \(.*\) \S (\d+)/s.exec(await readFile(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? ''
    const children = await readFile(`/proc/${master}/task/${master}/children`, 'latin1')
    const accepting = new Set<number>()
    for (const child of children.trim().split(' ')) {
      const title = await readFile(`/proc/${child}/cmdline`, 'latin1').catch(() => '')
      if (title.includes('worker process') && !title.includes('shutting down')) accepting.add(Number(child))
    }
    return accepting.has(pid) ? accepting : undefined
  } catch {
    return undefined
  }
}
