import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findNginx, freePort, Front, frontConfig } from './front.ts'
import type { Narrator } from './narrator.ts'
import { type CommandResult, Processes, run } from './processes.ts'

const EMPTY_DATASETS_XML = '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n</erddapDatasets>\n'

/** A real ERDDAP that has just started leaves datasets out for up to a minute; these are patient for moments only. */
const YOUNG = '    startMs: 1500\n    settleMs: 500\n'

export interface DemoNode {
  readonly name: string
  readonly url: string
  readonly contentDir: string
  readonly bigParentDir: string
}

/** A hub and three nodes on loopback, each node beside its own ERDDAP stand-in, all in one temporary folder. */
export class Cluster {
  readonly nodes: DemoNode[] = []
  readonly source: string
  readonly #root: string
  readonly #folder: string
  readonly #narrator: Narrator
  readonly #processes: Processes
  #url = ''
  #front: Front | undefined

  constructor(root: string, folder: string, narrator: Narrator) {
    this.#root = root
    this.#folder = folder
    this.#narrator = narrator
    this.source = join(folder, 'datasets.d')
    const logs = join(folder, 'logs')
    mkdirSync(logs, { recursive: true })
    this.#processes = new Processes(root, logs)
  }

  get tokenFile(): string {
    return join(this.#folder, 'hub', 'admin.token')
  }

  get url(): string {
    return this.#url
  }

  async startHub(): Promise<void> {
    cpSync(join(this.#root, 'examples/collection/datasets.d'), this.source, { recursive: true })
    const args = ['up', '--data', join(this.#folder, 'hub'), '--listen', '127.0.0.1:0']
    this.#narrator.command(args)
    this.#url = await this.#processes.start('hub', 'src/bin.ts', args, /(http:\/\/127\.0\.0\.1:\d+)/)
  }

  async startNode(name: string): Promise<void> {
    const at = join(this.#folder, name)
    const contentDir = join(at, 'content')
    const bigParentDir = join(at, 'bigParent')
    for (const directory of [contentDir, bigParentDir]) mkdirSync(directory, { recursive: true })
    // A fresh ERDDAP has one, too; without it, it puts new datasets off until its next major load.
    writeFileSync(join(contentDir, 'datasets.xml'), EMPTY_DATASETS_XML)
    const data = join(this.#root, 'examples/collection/data')
    const directories = ['--content-dir', contentDir, '--big-parent-dir', bigParentDir]
    const erddap = await this.#processes.start(
      `erddap-${name}`,
      'standin/erddap/main.ts',
      [...directories, '--listen', '127.0.0.1:0', '--poll-ms', '500'],
      /(http:\/\/\S+)/,
    )
    const state = await this.#join(name, [...directories, '--erddap-url', erddap, '--value', `data=${data}`], YOUNG)
    await this.#startAgent(name, state)
    this.nodes.push({ name, url: erddap, contentDir, bigParentDir })
  }

  /** An nginx before the nodes, told what to do by an agent beside it; undefined where none is installed. */
  async startFront(): Promise<Front | undefined> {
    const nginx = findNginx()
    if (nginx === undefined) return undefined
    const [port, control] = [await freePort(), await freePort()]
    const folder = join(this.#folder, 'web', 'nginx')
    const state = await this.#join('web', ['--only-proxy'], frontConfig({ ...nginx, folder, port, control }))
    const rendered = await this.flotilla(['proxy', 'render', '--state', state, '--to', folder], 'quiet')
    if (rendered.code !== 0) throw new Error(`the configuration of nginx could not be made: ${rendered.said}`)
    const own = `daemon off; error_log ${join(this.#folder, 'logs', 'nginx-errors.log')};`
    this.#processes.launch('nginx', nginx.program, ['-c', join(folder, 'nginx.conf'), '-g', own])
    await this.#startAgent('web', state)
    this.#front = new Front(`http://127.0.0.1:${port}`)
    return this.#front
  }

  get front(): Front | undefined {
    return this.#front
  }

  /** Trades a code for a credential, and adds to the configuration that `join` writes; answers the state folder. */
  async #join(name: string, more: readonly string[], config: string): Promise<string> {
    const { stdout } = await this.flotilla(['token', 'join-code', '--json'], 'quiet')
    const { code } = JSON.parse(stdout) as { code: string }
    const state = join(this.#folder, name, 'state')
    const who = ['--node', name, '--state', state, ...more, '--no-start']
    const joined = await this.flotilla(['join', this.#url, code, ...who], 'quiet')
    if (joined.code !== 0) throw new Error(`${name} could not join: ${joined.said}`)
    appendFileSync(join(state, 'agent.yaml'), config)
    return state
  }

  async #startAgent(name: string, state: string): Promise<void> {
    await this.#processes.start(`agent-${name}`, 'src/bin.ts', ['agent', '--state', state], /this node is alive/)
  }

  /** Runs a command of the tool against this cluster, shown with its output unless `quiet`. */
  async flotilla(args: readonly string[], show: 'show' | 'quiet' = 'show'): Promise<CommandResult> {
    if (show === 'show') this.#narrator.command(args)
    const env = { FLOTILLA_URL: this.#url, FLOTILLA_TOKEN_FILE: this.tokenFile }
    const result = await run(this.#root, args, env, this.#folder)
    if (show === 'show') this.#narrator.output(result.said)
    return result
  }

  async stop(): Promise<void> {
    await this.#processes.stopAll()
  }
}
