import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fixedPort } from '../test/helpers/fixed-port.ts'
import { LAUNCHED } from '../test/helpers/launched.ts'
import { type FiledistNginx, openFiledistNginx } from '../test/helpers/nginx-filedist.ts'

export const PUSH_TREE = 'tree'
const PROGRAM = join(import.meta.dirname, '../src/bin.ts')

export interface PushNode {
  readonly url: string
  readonly port: number
  readonly folder: string
  readonly state: string
  /** Where a nginx before it is to hand over what it has written. */
  readonly socket: string
  readonly pid: number
  /** As if it were installed anew: nothing of before is left. Runs again afterwards. */
  renew(): Promise<void>
  start(): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface Pushed {
  /** Where files are written to; with a slash at its end. */
  readonly url: string
  readonly root: PushNode
  readonly children: readonly PushNode[]
  readonly nodes: readonly PushNode[]
  stop(): Promise<void>
}

export interface PushOptions {
  readonly folder: string
  readonly children: number
  /** Of the root, beside its children. */
  readonly args?: readonly string[]
  readonly childArgs?: readonly string[]
  /** By which the root reaches a child, where not straight. */
  readonly wayTo?: (url: string, child: number) => Promise<string>
}

/** A root and its children, as `files serve` starts them. */
export async function startPushed({
  folder,
  children,
  args = [],
  childArgs = [],
  wayTo,
}: PushOptions): Promise<Pushed> {
  const below: PushNode[] = []
  const told: string[] = []
  for (let at = 1; at <= children; at++) {
    const child = await startNode(join(folder, `child${at}`), childArgs)
    below.push(child)
    told.push('--child', (await wayTo?.(child.url, at)) ?? child.url)
  }
  const root = await startNode(join(folder, 'root'), [...told, ...args])
  const nodes = [root, ...below]
  return {
    url: `${root.url}/${PUSH_TREE}/`,
    root,
    children: below,
    nodes,
    stop: async () => void (await Promise.all(nodes.map(async (node) => node.stop()))),
  }
}

async function startNode(home: string, args: readonly string[] = []): Promise<PushNode> {
  const [folder, state, port] = [join(home, 'tree'), join(home, 'state'), await fixedPort()]
  const socket = join(home, 'nginx.sock')
  const where = ['--tree', `${PUSH_TREE}=${folder}`, '--listen', `127.0.0.1:${port}`, '--state', state]
  let running: ChildProcess | undefined
  const start = async (): Promise<void> => {
    mkdirSync(folder, { recursive: true })
    const argv = [PROGRAM, 'files', 'serve', ...where, '--open-writes', '--log-level', 'error']
    running = spawn(process.execPath, [...argv, '--nginx-socket', socket, ...args], {
      env: { ...process.env, ...LAUNCHED },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await untilSaid(running, /^files /)
  }
  const stop = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const ended = once(running, 'exit')
    running.kill(signal)
    await ended
  }
  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    folder,
    state,
    socket,
    get pid() {
      return running?.pid ?? 0
    },
    start,
    stop,
    renew: async () => {
      await stop()
      for (const one of [folder, state]) rmSync(one, { recursive: true, force: true })
      await start()
    },
  }
}

/** A nginx before a node, by what `proxy render filedist` prints for it: bodies are written by nginx, and handed over. */
export async function nginxBefore({ port, folder, state, socket }: PushNode): Promise<FiledistNginx> {
  const tree = ['--tree', `${PUSH_TREE}=${folder}`, '--state', state, '--open-writes']
  return await openFiledistNginx({ port, folder: dirname(folder), options: [...tree, '--nginx-socket', socket] })
}

async function untilSaid(program: ChildProcess, pattern: RegExp): Promise<void> {
  if (program.stdout === null) return
  for await (const line of createInterface(program.stdout)) {
    if (!pattern.test(line)) continue
    // Nobody reads further: what it still says must not hold it up.
    program.stdout.resume()
    return
  }
  throw new Error(`a file service ended with ${program.exitCode} before it listened`)
}

/** MB that a process and all below it needed at most, each by itself, up to now. */
export function peakMemory(pid: number): number {
  return processesOf(pid).reduce((sum, one) => {
    const status = readFileSync(`/proc/${one}/status`, 'utf8')
    return sum + Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
  }, 0)
}

/** To a process and all below it. */
export function signalAll(pid: number, signal: NodeJS.Signals): void {
  for (const one of processesOf(pid)) process.kill(one, signal)
}

function processesOf(pid: number): readonly number[] {
  const below = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  )
  return [pid, ...below.flatMap((child) => processesOf(Number(child)))]
}
