import { Agent, request } from 'node:http'
import type { Seen } from './backends.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
  /** Which server answered, by what it says itself; undefined where none did. */
  readonly node: string | undefined
  readonly seen: Seen | undefined
}

export interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** A connection of its own for each request unless one is given. */
  readonly agent?: Agent
  /** The client's address: any of 127.0.0.0/8. */
  readonly from?: string
  readonly timeoutMs?: number
}

/** One request to a proxy on this machine. Rejects when the connection fails or nothing is answered in time. */
export async function ask(port: number, path: string, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent = new Agent(), from, timeoutMs = 10_000 } = asking
  return await new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method, agent, headers, ...(from !== undefined && { localAddress: from }) },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () => {
          const seen = parse(text)
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Readonly<Record<string, string | undefined>>,
            text,
            node: seen?.node,
            seen,
          })
        })
      },
    )
    sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`no answer to ${method} ${path} within ${timeoutMs} ms`)))
    sent.on('error', reject)
    sent.end(body)
  })
}

function parse(text: string): (Seen & { readonly node: string }) | undefined {
  try {
    return JSON.parse(text) as Seen & { node: string }
  } catch {
    return undefined
  }
}

export interface Load {
  /** Every answer so far, with when it was asked for and when it came. */
  readonly answers: readonly LoadAnswer[]
  readonly failures: readonly string[]
  /** Resolves when every client has had its last answer. */
  stop(): Promise<void>
}

export interface LoadAnswer {
  readonly askedMs: number
  readonly answeredMs: number
  readonly node: string | undefined
}

/** Clients that ask one after the other, without a pause. What is not a 200 is a failure. */
export function constantly(port: number, paths: readonly string[], keepAlive: boolean, clients = 4): Load {
  const answers: LoadAnswer[] = []
  const failures: string[] = []
  const over = new AbortController()
  const work = async (client: number): Promise<void> => {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    for (let turn = client; !over.signal.aborted; turn++) {
      const askedMs = performance.now()
      try {
        const { status, node } = await ask(port, paths[turn % paths.length] ?? '/', { agent })
        if (status === 200) answers.push({ askedMs, answeredMs: performance.now(), node })
        else failures.push(`status ${status}`)
      } catch (error) {
        failures.push(String(error))
      }
    }
    agent.destroy()
  }
  const all = Promise.all(Array.from({ length: clients }, async (_, client) => await work(client)))
  return {
    answers,
    failures,
    stop: async () => {
      over.abort()
      await all
    },
  }
}
