import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ran, run, type Running, STANDIN, start } from './program.ts'

const ROOT = join(import.meta.dirname, '../..')
const DATA = join(ROOT, 'examples/collection/data')
const EMPTY = '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n</erddapDatasets>\n'
/** A real ERDDAP that has just started puts off what has no index for up to a minute; this one for moments. */
const SETTINGS = '    startMs: 1500\n    settleMs: 500\n'

export interface ClusterNode {
  readonly name: string
  readonly erddap: string
  readonly content: string
  readonly agent: Running
  /** The stand-in's process. */
  readonly server: Running
}

/** What an ERDDAP stand-in did: every change of what it serves, in order. */
export interface ErddapEvent {
  readonly event: string
  readonly id: string
}

/** Hub, agents and ERDDAP stand-ins as processes, in a folder of their own, with the example collection. */
export class ProcessCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'flotilla-cluster-'))
  readonly source = join(this.folder, 'datasets.d')
  readonly nodes: ClusterNode[] = []
  readonly #running: Running[] = []
  #listen = '127.0.0.1:0'
  #hub: Running | undefined

  constructor() {
    cpSync(join(ROOT, 'examples/collection/datasets.d'), this.source, { recursive: true })
  }

  get env(): Record<string, string> {
    return { FLOTILLA_URL: `http://${this.#listen}`, FLOTILLA_TOKEN_FILE: join(this.folder, 'hub/admin.token') }
  }

  get hub(): Running {
    if (this.#hub === undefined) throw new Error('the hub was never started')
    return this.#hub
  }

  /** Starts the hub, again on the same port and data. */
  async startHub(): Promise<void> {
    this.#hub = this.#launch(['up', '--data', join(this.folder, 'hub'), '--listen', this.#listen])
    const [, url = ''] = await this.#hub.line(/^hub +(http:\S+)$/)
    this.#listen = new URL(url).host
  }

  async killHub(): Promise<void> {
    await this.hub.stop('SIGKILL')
  }

  /** `more`: lines of the agent's configuration, behind those of its target. */
  async addNode(name: string, more = ''): Promise<void> {
    const at = join(this.folder, name)
    const [content, bpd, state] = ['content', 'bpd', 'state'].map((part) => join(at, part)) as [string, string, string]
    for (const each of [content, bpd]) mkdirSync(each, { recursive: true })
    writeFileSync(join(content, 'datasets.xml'), EMPTY)
    const dirs = ['--content-dir', content, '--big-parent-dir', bpd]
    const server = this.#launch([...dirs, '--poll-ms', '200'], STANDIN)
    const [erddap] = await server.line(/^http:\S+$/)
    const code = (await this.flotilla('token', 'join-code')).stdout.trim()
    const where = ['--node', name, ...dirs, '--erddap-url', erddap, '--state', state, '--value', `data=${DATA}`]
    const joined = await this.flotilla('join', this.env['FLOTILLA_URL'] ?? '', code, ...where, '--no-start')
    if (joined.code !== 0) throw new Error(joined.stderr)
    appendFileSync(join(state, 'agent.yaml'), SETTINGS + more)
    const agent = this.#launch(['agent', '--state', state])
    this.nodes.push({ name, erddap, content, agent, server })
  }

  flotilla(...argv: readonly string[]): Promise<Ran> {
    return run(argv, { cwd: this.folder, env: this.env })
  }

  /** Asks the hub as its administrator. */
  async ask<T>(path: string): Promise<T> {
    const token = readFileSync(this.env['FLOTILLA_TOKEN_FILE'] ?? '', 'utf8').trim()
    const answer = await fetch(`${this.env['FLOTILLA_URL']}${path}`, { headers: { authorization: `Bearer ${token}` } })
    return (await answer.json()) as T
  }

  /** Changes a fragment of the source folder. */
  edit(file: string, from: string | RegExp, to: string): void {
    const path = join(this.source, file)
    const text = readFileSync(path, 'utf8')
    const edited = text.replace(from, to)
    if (edited === text) throw new Error(`${file} has nothing like ${from}`)
    writeFileSync(path, edited)
  }

  /** Puts a fragment into the source folder. */
  add(file: string, text: string): void {
    writeFileSync(join(this.source, file), text)
  }

  remove(file: string): void {
    rmSync(join(this.source, file))
  }

  node(name: string): ClusterNode {
    const node = this.nodes.find((each) => each.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  datasetsXml(name: string): string {
    return readFileSync(join(this.node(name).content, 'datasets.xml'), 'utf8')
  }

  async events(name: string): Promise<readonly ErddapEvent[]> {
    const { origin } = new URL(this.node(name).erddap)
    const stats = (await (await fetch(`${origin}/stand-in/stats.json`)).json()) as { events: readonly ErddapEvent[] }
    return stats.events
  }

  /** The title that the node's own ERDDAP serves; undefined when it does not serve the dataset. */
  async title(name: string, dataset: string): Promise<string | undefined> {
    const answer = await fetch(`${this.node(name).erddap}/info/${dataset}/index.json`)
    if (!answer.ok) return undefined
    const { table } = (await answer.json()) as { table: { rows: readonly (readonly string[])[] } }
    return table.rows.find((row) => row[1] === 'NC_GLOBAL' && row[2] === 'title')?.[4]
  }

  async stop(): Promise<void> {
    for (const program of this.#running.toReversed()) await program.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #launch(argv: readonly string[], script?: string): Running {
    const program = start(argv, { cwd: this.folder, env: this.env }, script)
    this.#running.push(program)
    return program
  }
}
