import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { fixedPort } from './fixed-port.ts'
import { temporaryFolder } from './folder.ts'
import { LAUNCHED } from './launched.ts'
import { type Running, start } from './program.ts'
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export const TREE = 'tree'

export interface PushClusterOptions {
  /** Node → its children; the root first. */
  readonly shape: Readonly<Record<string, readonly string[]>>
  /** Further options of `files serve`. */
  readonly args?: readonly string[]
  /** Where the files of a node lie, in place of a temporary folder. */
  readonly places?: Readonly<Record<string, string>>
}

/** A tree of file services, each a process of its own at an address that stays, reached by its parent over a wire of its own. */
export class PushCluster {
  readonly nodes = new Map<string, PushedNode>()
  readonly root: PushedNode
  /** Those that the root feeds itself. */
  readonly childrenOfRoot: readonly string[]

  private constructor(nodes: readonly PushedNode[], shape: PushClusterOptions['shape']) {
    for (const node of nodes) this.nodes.set(node.name, node)
    this.root = this.node(nodes[0]?.name ?? '')
    this.childrenOfRoot = shape[this.root.name] ?? []
  }

  /** Nothing runs yet. Gone when the test has finished. */
  static async of({ shape, args = [], places = {} }: PushClusterOptions): Promise<PushCluster> {
    const home = temporaryFolder()
    const wires = new Map<string, { readonly port: number; readonly wire: TcpProxy }>()
    for (const name of Object.keys(shape)) {
      const port = await fixedPort()
      const wire = await openTcpProxy(`http://127.0.0.1:${port}`)
      onTestFinished(async () => wire.close())
      wires.set(name, { port, wire })
    }
    const nodes = Object.entries(shape).map(([name, children]) => {
      const { port, wire } = wires.get(name) ?? {}
      if (port === undefined || wire === undefined) throw new Error(`no port for ${name}`)
      const told = children.flatMap((child) => ['--child', wires.get(child)?.wire.url ?? ''])
      const folder = places[name] ?? join(home, name)
      return new PushedNode({ name, folder, state: join(home, `${name}-state`), port, wire, args: [...told, ...args] })
    })
    return new PushCluster(nodes, shape)
  }

  /** All of them run. */
  static async started(options: PushClusterOptions): Promise<PushCluster> {
    const cluster = await PushCluster.of(options)
    await Promise.all([...cluster.nodes.values()].map(async (node) => node.start()))
    return cluster
  }

  node(name: string): PushedNode {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }

  /** Resolves once every node shows the same files as the root, byte by byte; answers them. */
  async inStep(): Promise<ReadonlyMap<string, Buffer>> {
    for (;;) {
      const [first, ...others] = [...this.nodes.values()].map((node) => node.files())
      if (first !== undefined && others.every((other) => areEqual(first, other))) return first
      await delay(100)
    }
  }
}

interface Place {
  readonly name: string
  readonly folder: string
  readonly state: string
  readonly port: number
  readonly wire: TcpProxy
  readonly args: readonly string[]
}

export class PushedNode {
  readonly name: string
  readonly folder: string
  readonly url: string
  /** The wire from its parent. */
  readonly wire: TcpProxy
  readonly #place: Place
  running: Running | undefined

  constructor(place: Place) {
    this.#place = place
    this.name = place.name
    this.folder = place.folder
    this.wire = place.wire
    this.url = `http://127.0.0.1:${place.port}`
  }

  async start(...more: readonly string[]): Promise<void> {
    const { folder, state, port, args } = this.#place
    mkdirSync(folder, { recursive: true })
    const where = ['--tree', `${TREE}=${folder}`, '--listen', `127.0.0.1:${port}`, '--state', state]
    const running = start(['files', 'serve', ...where, '--open-writes', ...args, ...more], {
      cwd: folder,
      env: LAUNCHED,
    })
    onTestFinished(async () => void (await running.stop('SIGKILL')))
    this.running = running
    await running.line(/^files +http/)
  }

  async kill(): Promise<void> {
    await this.running?.stop('SIGKILL')
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.running?.child.kill(signal)
  }

  /** It loses all that it has. */
  async reinstall(): Promise<void> {
    await this.kill()
    for (const folder of [this.folder, this.#place.state]) rmSync(folder, { recursive: true, force: true })
    await this.start()
  }

  /** MB that it needed at most, up to now. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.running?.child.pid}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
  }

  /** ms for which its main thread could have run, but others had the processors, since it was started. */
  waitedMs(): number {
    return waitedMs(this.running?.child.pid ?? 0)
  }

  /** Bytes that it has written since it was started, to files and connections. */
  writtenBytes(): number {
    return Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${this.running?.child.pid}/io`, 'utf8'))?.[1])
  }

  /** Of a key that is its own path. Undefined where there is no such file. */
  read(key: string): Buffer | undefined {
    try {
      return readFileSync(join(this.folder, key))
    } catch {
      return undefined
    }
  }

  /** Path → content, without what is the service's own. */
  files(): ReadonlyMap<string, Buffer> {
    const found = this.#list().filter((path) => !path.includes('.flotilla-'))
    return new Map(found.map((path) => [path, this.read(path) ?? Buffer.from('gone while it was read')]))
  }

  /** Files of bodies that are under way, or were. */
  temporaries(): readonly string[] {
    return this.#list().filter((path) => path.includes('.flotilla-'))
  }

  #list(): readonly string[] {
    const all = readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
    return all.map((one) => join(one.parentPath, one.name).slice(this.folder.length + 1)).toSorted()
  }
}

/** ms for which the main thread of a process could have run, but others had the processors. */
export function waitedMs(pid: number): number {
  const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
  return Number(waitedNs) / 1e6
}

function areEqual(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([path, bytes]) => b.get(path)?.equals(bytes) === true)
}
