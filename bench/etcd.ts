import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** One etcd on the loopback, spoken to over the HTTP gateway that it has itself. */
export interface Etcd {
  readonly version: string
  readonly url: string
  put(key: string, value: string): Promise<void>
  stop(): Promise<void>
}

/** Undefined where etcd is not installed and cannot be: installing needs root and Debian's packages. */
export async function startEtcd(): Promise<Etcd | undefined> {
  const version = installed() ?? installedNow()
  if (version === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-etcd-'))
  const [client, peer] = [await freeUrl(), await freeUrl()]
  const options = [
    ['--data-dir', folder],
    ['--listen-client-urls', client],
    ['--advertise-client-urls', client],
    ['--listen-peer-urls', peer],
    ['--initial-advertise-peer-urls', peer],
    ['--initial-cluster', `default=${peer}`],
    ['--log-level', 'error'],
  ]
  const server = spawn('etcd', options.flat(), { stdio: 'ignore' })
  const agent = new Agent({ keepAlive: true })
  const call = (path: string, body: object): Promise<void> => post(agent, `${client}${path}`, JSON.stringify(body))
  const put = (key: string, value: string): Promise<void> =>
    call('/v3/kv/put', { key: base64(key), value: base64(value) })
  await untilReady(() => put('ready', 'yes'))
  return {
    version,
    url: client,
    put,
    stop: async () => {
      agent.destroy()
      server.kill()
      await once(server, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}

function installed(): string | undefined {
  try {
    return /etcd Version: (\S+)/.exec(execFileSync('etcd', ['--version'], { encoding: 'utf8' }))?.[1]
  } catch {
    return undefined
  }
}

function installedNow(): string | undefined {
  try {
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'etcd-server'], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  return installed()
}

async function freeUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

async function untilReady(attempt: () => Promise<void>): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      await attempt()
      return
    } catch (error) {
      if (left === 0) throw error
      await delay(100)
    }
  }
}

function post(agent: Agent, url: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: 'POST' }, (answer) => {
      answer.resume()
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`etcd: ${answer.statusCode}`)),
      )
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
