import { existsSync, readdirSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'

const MODULES = '/etc/nginx/modules-enabled'
const PAUSE_MS = 20

export interface InstalledNginx {
  readonly program: string
  readonly lua: boolean
}

export function findNginx(): InstalledNginx | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  const program = folders.map((folder) => join(folder, 'nginx')).find((path) => existsSync(path))
  const lua = existsSync(MODULES) && readdirSync(MODULES).some((name) => name.includes('lua'))
  return program === undefined ? undefined : { program, lua }
}

interface FrontOptions extends InstalledNginx {
  readonly folder: string
  readonly port: number
  readonly control: number
}

/** What the agent beside the proxy is told of it. Without its Lua module every change is a reload. */
export function frontConfig({ program, lua, folder, port, control }: FrontOptions): string {
  const user = process.getuid?.() === 0 ? 'root' : (process.env['USER'] ?? 'nobody')
  return `proxies:
  front:
    kind: nginx
    folder: ${folder}
    listen: ['127.0.0.1:${port}']
    control: 127.0.0.1:${control}
    nginx: [${program}]
    user: ${user}
    lua: ${lua}
    reloadEveryMs: 1000
`
}

/** What a client of the proxy saw, who asked all the time. */
export interface Visit {
  readonly answers: number
  readonly failures: readonly string[]
  /** Texts in the order in which they were first seen; more often than once where an old one came back. */
  readonly seen: readonly string[]
}

/** The address that clients know. */
export class Front {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Resolves once the proxy has been told of a node. */
  async ready(): Promise<void> {
    while ((await this.#ask('/erddap/version', undefined).catch(() => undefined))?.status !== 200) await pause(100)
  }

  /** Asks for a page again and again on one connection until `over`, and tells what `what` finds in the answers. */
  async visit(path: string, what: (text: string) => string, over: AbortSignal): Promise<Visit> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const failures: string[] = []
    const seen: string[] = []
    let answers = 0
    while (!over.aborted) {
      try {
        const { status, text } = await this.#ask(path, agent)
        if (status === 200) answers += 1
        else failures.push(String(status))
        if (status === 200 && seen.at(-1) !== what(text)) seen.push(what(text))
      } catch (error) {
        failures.push(String(error))
      }
      await pause(PAUSE_MS)
    }
    agent.destroy()
    return { answers, failures, seen }
  }

  #ask(path: string, agent: Agent | undefined): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const asked = get(`${this.url}${path}`, { agent, timeout: 5000 }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => (text += part))
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }))
        answer.once('error', reject)
      })
      asked.once('timeout', () => asked.destroy(new Error('no answer within 5 s')))
      asked.once('error', reject)
    })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
