import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import type { NodeAnswer, StatusAnswer } from '../../src/core/api.ts'
import { fixedPort } from './fixed-port.ts'
import { type Ran, run, type Running, start } from './program.ts'

export interface FilesNode {
  readonly name: string
  /** The folder of the tree `data`. */
  readonly data: string
  readonly state: string
  /** Of its file service. */
  readonly url: string
  agent: Running
}

const PATIENCE_MS = 60_000

/** A hub and agents that serve and pull the tree `data`, as processes, in a folder of their own. */
export class FilesCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'flotilla-files-'))
  readonly #running: Running[] = []
  #hub: Running | undefined
  #listen = '127.0.0.1:0'

  async startHub(): Promise<void> {
    this.#hub = this.#launch(['up', '--data', 'hub', '--listen', this.#listen])
    const [, url = ''] = await this.#hub.line(/^hub +(http:\S+)$/)
    this.#listen = new URL(url).host
  }

  async killHub(): Promise<void> {
    await this.#hub?.stop('SIGKILL')
  }

  /** `more`: settings of the target `data` of the agent. */
  async addNode(name: string, role: 'serve' | 'pull', more: object = {}): Promise<FilesNode> {
    const [data, state] = [join(this.folder, name, 'data'), join(this.folder, name, 'state')]
    mkdirSync(data, { recursive: true })
    const listen = `127.0.0.1:${await fixedPort()}`
    const code = (await this.flotilla('token', 'join-code')).stdout.trim()
    const where = ['--node', name, `--${role}`, `data=${data}`, '--files-listen', listen, '--state', state]
    const joined = await this.flotilla('join', `http://${this.#listen}`, code, ...where, '--no-start')
    if (joined.code !== 0) throw new Error(joined.stderr)
    const file = join(state, 'agent.yaml')
    const config = parse(readFileSync(file, 'utf8')) as { targets?: Record<string, object> }
    if (config.targets !== undefined) Object.assign(config.targets['data'] ?? {}, more)
    writeFileSync(file, stringify({ ...config, lease: '3s' }))
    return { name, data, state, url: `http://${listen}`, agent: this.startAgent(state) }
  }

  startAgent(state: string): Running {
    return this.#launch(['agent', '--state', state])
  }

  async flotilla(...argv: readonly string[]): Promise<Ran> {
    return await run(argv, { cwd: this.folder, env: this.#env })
  }

  async status(tree = 'data'): Promise<StatusAnswer> {
    return JSON.parse((await this.flotilla('status', '--tree', tree, '--json')).stdout) as StatusAnswer
  }

  async node(name: string): Promise<NodeAnswer | undefined> {
    return (await this.status()).nodes.find(({ node }) => node === name)
  }

  async until<T>(what: string, ask: () => T | Promise<T>, is: (value: T) => boolean): Promise<T> {
    const end = performance.now() + PATIENCE_MS
    for (;;) {
      const value = await ask()
      if (is(value)) return value
      if (performance.now() > end) {
        const logs = this.#running.map((one) => one.said().split('\n').slice(-15).join('\n')).join('\n\n')
        throw new Error(`waited in vain until ${what}; last: ${JSON.stringify(value)}\n${logs}`)
      }
      await delay(50)
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map(async (one) => await one.stop('SIGKILL')))
    rmSync(this.folder, { recursive: true, force: true })
  }

  get #env(): Record<string, string> {
    return {
      FLOTILLA_URL: `http://${this.#listen}`,
      FLOTILLA_TOKEN_FILE: join(this.folder, 'hub/admin.token'),
    }
  }

  #launch(argv: readonly string[]): Running {
    const program = start(argv, { cwd: this.folder, env: this.#env })
    this.#running.push(program)
    return program
  }
}

/** As a program does that lets nobody see half a file. */
export function publish(root: string, path: string, content: string | Uint8Array): void {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}~`, content)
  renameSync(`${file}~`, file)
}
