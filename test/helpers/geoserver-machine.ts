import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/lib/system-clock.ts'
import { Overlay } from '../../src/targets/geoserver/definition/overlay.ts'
import { DataDirectory } from '../../src/targets/geoserver/directory/data-directory.ts'
import type { Misbehaviour } from '../../standin/geoserver/options.ts'
import { idsWith, smallDirectory } from './geoserver-directory.ts'
import { MortalProcess } from './mortal-process.ts'

const STANDIN = 'standin/geoserver/main.ts'
/** Of the administrator. */
export const PASSWORD = 'of-the-administrator'
const QUICK = ['--reload-ms', '50', '--style-ms', '5', '--file-ms', '5', '--slow-ms', '500']

export interface Answered {
  readonly status: number
  readonly text: string
}

/** A GeoServer stand-in in a process of its own, on a data directory of its own, always at the same address. */
export class GeoserverMachine {
  readonly name: string
  /** Everything of this machine. */
  readonly root: string
  readonly directory: string
  readonly port: number
  readonly server = new Program()
  readonly agent = new Program()
  readonly #options: readonly string[]

  /** `options` are those of the stand-in, which win. */
  constructor(root: string, name: string, port: number, options: readonly string[] = []) {
    this.name = name
    this.root = join(root, name)
    this.directory = join(this.root, 'data')
    this.port = port
    this.#options = options
    mkdirSync(this.directory, { recursive: true })
    writeFileSync(this.passwordFile, PASSWORD, { mode: 0o600 })
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/geoserver`
  }

  get passwordFile(): string {
    return join(this.root, 'password')
  }

  get state(): string {
    return join(this.root, 'state')
  }

  /** A catalog of two workspaces, with ids of this machine's own. */
  seed(): this {
    for (const [path, content] of smallDirectory(idsWith(this.name))) {
      // That one was encrypted with no keystore at all.
      this.write(path, content.replace(/\s*<entry key="passwd">[^<]*<\/entry>/, ''))
    }
    return this
  }

  /** What a join brings: both can read what the other encrypts. Before the first start. */
  shareKeystore(other: GeoserverMachine): this {
    cpSync(join(other.directory, 'security'), join(this.directory, 'security'), { recursive: true })
    return this
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const where = ['--data-directory', this.directory, '--port', String(this.port), '--password', PASSWORD]
    await this.server.run([...where, ...QUICK, ...this.#options], { cwd: this.root }, STANDIN).line(/^http:\S+$/)
  }

  startAgent(): void {
    this.agent.run(['agent', '--config', join(this.state, 'agent.yaml')], { cwd: this.root })
  }

  async misbehave(how: Misbehaviour): Promise<void> {
    await fetch(`http://127.0.0.1:${this.port}/stand-in/misbehave/${how}`)
  }

  /** Throws what it says unless it is done. */
  async rest(method: string, path: string, body?: string, type = 'application/xml'): Promise<Answered> {
    const answer = await this.ask(method, path, body, type)
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer
  }

  async ask(method: string, path: string, body?: string, type = 'application/xml'): Promise<Answered> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Basic ${btoa(`admin:${PASSWORD}`)}`, 'content-type': type },
      ...(body !== undefined && { body }),
    })
    return { status: answer.status, text: await answer.text() }
  }

  async log(): Promise<readonly string[]> {
    return (await (await fetch(`http://127.0.0.1:${this.port}/stand-in/log.json`)).json()) as readonly string[]
  }

  /** Counts up with every change of the catalog, and by 18 with a reload. */
  async updateSequence(): Promise<number> {
    const { text } = await this.rest('GET', '/rest/settings.json')
    return (JSON.parse(text) as { global: { updateSequence: number } }).global.updateSequence
  }

  /** What a map of a layer looks like: equal texts stand for equal images. */
  async map(layer: string): Promise<string> {
    const answer = await fetch(`${this.url}/wms?request=GetMap&layers=${layer}&styles=`)
    return `${answer.status} ${Buffer.from(await answer.arrayBuffer()).toString('hex')}`
  }

  async tile(layer: string): Promise<{ readonly result: string | null; readonly image: string }> {
    const answer = await fetch(`${this.url}/gwc/service/wms?layers=${layer}&bbox=0,0,1,1`)
    const image = `${answer.status} ${Buffer.from(await answer.arrayBuffer()).toString('hex')}`
    return { result: answer.headers.get('geowebcache-cache-result'), image }
  }

  /** Digests by key. */
  async digests(): Promise<Readonly<Record<string, string>>> {
    const tree = await new DataDirectory({ path: this.directory, overlay: new Overlay(), clock: systemClock }).scan()
    return Object.fromEntries([...tree.catalog.entries.values()].map(({ key, digest }) => [key, digest]))
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), 'utf8')
  }

  has(path: string): boolean {
    return existsSync(join(this.directory, path))
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true })
    writeFileSync(join(this.directory, path), content)
  }

  remove(path: string): void {
    rmSync(join(this.directory, path), { recursive: true })
  }
}

/** One that is begun again and again; everything that it said is kept. */
export class Program extends MortalProcess {
  readonly #runs: ReturnType<MortalProcess['launch']>[] = []

  run(argv: readonly string[], options: Parameters<MortalProcess['launch']>[1], script?: string) {
    const running = this.launch(argv, options, script)
    this.#runs.push(running)
    return running
  }

  get pid(): number {
    return this.#runs.at(-1)?.child.pid ?? 0
  }

  said(): string {
    return this.#runs.map((each) => each.said()).join('\n--\n')
  }
}
