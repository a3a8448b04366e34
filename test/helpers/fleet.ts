import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { join } from '../../src/client/hub-client.ts'
import { fixedPort } from './fixed-port.ts'
import { run, type Ran, type Running, STANDIN, start } from './program.ts'

const EMPTY = '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n</erddapDatasets>\n'

/** One server: an ERDDAP stand-in and the agent beside it, both as processes. */
export interface Machine {
  readonly name: string
  /** Where its ERDDAP listens, also after it was started again. */
  readonly port: number
  /** As when the power fails. */
  kill(): Promise<void>
  start(): Promise<void>
}

/** A hub and its nodes as processes on this machine, steered by the commands that people type. */
export class Fleet {
  readonly folder = mkdtempSync(path(tmpdir(), 'flotilla-fleet-'))
  readonly machines: Machine[] = []
  readonly #running = new Set<Running>()
  #env: Record<string, string> = {}
  #hub: Running | undefined

  /** Starts the hub, or starts it again where it was. */
  async startHub(): Promise<void> {
    const listen = this.#env['FLOTILLA_URL'] === undefined ? '127.0.0.1:0' : new URL(this.#env['FLOTILLA_URL']).host
    this.#hub = this.launch(['up', '--data', path(this.folder, 'hub'), '--listen', listen])
    const [, url = ''] = await this.#hub.line(/^hub +(http:\S+)$/)
    this.#env = { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: path(this.folder, 'hub/admin.token') }
  }

  async killHub(): Promise<void> {
    await this.#hub?.stop('SIGKILL')
  }

  get url(): string {
    return this.#env['FLOTILLA_URL'] ?? ''
  }

  async flotilla(...argv: readonly string[]): Promise<Ran> {
    return await run(argv, { cwd: this.folder, env: this.#env })
  }

  /** Rejects with what it said unless it ends with 0. */
  async must(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.flotilla(...argv)
    if (code !== 0) throw new Error(`flotilla ${argv.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
    return stdout
  }

  launch(argv: readonly string[], script?: string): Running {
    const program = start(argv, { cwd: this.folder, env: this.#env }, script)
    this.#running.add(program)
    return program
  }

  /** Joins a machine whose agent has these settings besides; answers when its agent and its ERDDAP run. */
  async addMachine(name: string, standin: readonly string[] = []): Promise<Machine> {
    const at = path(this.folder, name)
    const [content, bpd] = [path(at, 'content'), path(at, 'bpd')]
    for (const each of [content, bpd]) mkdirSync(each, { recursive: true })
    writeFileSync(path(content, 'datasets.xml'), EMPTY)
    const port = await fixedPort()
    const erddap = (): Running =>
      this.launch(
        ['--content-dir', content, '--big-parent-dir', bpd, '--listen', `127.0.0.1:${port}`, ...standin],
        STANDIN,
      )
    let application = erddap()
    const [url] = await application.line(/^http:\S+$/)
    const code = (await this.must('token', 'join-code')).trim()
    const folders = [
      '--content-dir',
      content,
      '--big-parent-dir',
      bpd,
      '--erddap-url',
      url,
      '--state',
      path(at, 'state'),
    ]
    let agent = this.launch(['join', this.#env['FLOTILLA_URL'] ?? '', code, '--node', name, ...folders])
    await agent.line(/^joined /)
    const machine: Machine = {
      name,
      port,
      kill: async () => {
        await Promise.all([application.stop('SIGKILL'), agent.stop('SIGKILL')])
      },
      start: async () => {
        application = erddap()
        await application.line(/^http:\S+$/)
        agent = this.launch(['agent', '--state', path(at, 'state')])
      },
    }
    this.machines.push(machine)
    return machine
  }

  /** Joins a node without an application, whose agent has `settings` besides, such as `proxies`; answers its agent. */
  async addAgent(name: string, settings: object): Promise<Running> {
    const state = path(this.folder, name, 'state')
    const code = (await this.must('token', 'join-code')).trim()
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const { token } = await join(this.url, { code, node: name })
    writeFileSync(path(state, 'credential'), token, { mode: 0o600 })
    const config = {
      node: name,
      hub: this.#env['FLOTILLA_URL'],
      state,
      credentialFile: path(state, 'credential'),
      ...settings,
    }
    writeFileSync(path(state, 'agent.yaml'), JSON.stringify(config))
    return this.launch(['agent', '--config', path(state, 'agent.yaml')])
  }

  /** What every program said that still runs, or ran, for whoever has to find out what went wrong. */
  said(): string {
    return [...this.#running].map((program) => program.said()).join('\n--\n')
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running].toReversed().map(async (program) => await program.stop('SIGKILL')))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
