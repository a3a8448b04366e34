import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fixedPort } from '../../test/helpers/fixed-port.ts'
import { filedistConfiguration, type FiledistNode } from './configuration.ts'

export const FILEDIST_PREFIX = '/tree/'

export interface Filedist {
  readonly url: string
  readonly nodes: readonly RunningFiledist[]
  stop(): Promise<void>
}

export interface RunningFiledist {
  readonly server: string
  /** Of the files, which are written below `FILEDIST_PREFIX`. */
  readonly folder: string
  /** Its master; the workers are its children. */
  readonly pid: number
  stop(): Promise<void>
}

/** A master and its children, the master first, in folders below that one. `ways`: by which the master reaches a child, where not straight. */
export async function startFiledist(
  folder: string,
  children: number,
  wayTo: (server: string) => Promise<string> = async (server) => server,
): Promise<Filedist> {
  const started: RunningFiledist[] = []
  const ways: string[] = []
  for (let at = 1; at <= children; at++) {
    const child = await startNode(join(folder, `child${at}`), [])
    started.push(child)
    ways.push(await wayTo(child.server))
  }
  const master = await startNode(join(folder, 'master'), ways)
  const nodes = [master, ...started]
  return {
    url: `http://${master.server}`,
    nodes,
    stop: async () => void (await Promise.all(nodes.map(async (node) => node.stop()))),
  }
}

async function startNode(folder: string, children: readonly string[]): Promise<RunningFiledist> {
  const server = `127.0.0.1:${await fixedPort()}`
  const [root, logs] = [join(folder, 'root'), join(folder, 'logs')]
  for (const one of [join(root, FILEDIST_PREFIX), logs]) mkdirSync(one, { recursive: true })
  const node: FiledistNode = { server, root, prefix: FILEDIST_PREFIX, children, logs }
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, filedistConfiguration(node))
  const nginx = spawn('nginx', ['-e', join(logs, 'error.log'), '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] })
  await untilAnswering(nginx, server)
  return {
    server,
    folder: join(root, FILEDIST_PREFIX),
    pid: nginx.pid ?? 0,
    stop: async () => {
      if (nginx.exitCode !== null) return
      const ended = once(nginx, 'exit')
      nginx.kill('SIGTERM')
      await ended
    },
  }
}

async function untilAnswering(nginx: ChildProcess, server: string): Promise<void> {
  while ((await fetch(`http://${server}/__readme.txt`).catch(() => undefined)) === undefined) {
    if (nginx.exitCode !== null)
      throw new Error(`the nginx of nginx.filedist at ${server} ended with ${nginx.exitCode}`)
    await delay(20)
  }
}
