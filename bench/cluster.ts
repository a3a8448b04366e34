import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../src/client/hub-client.ts'
import { sha256 } from '../src/lib/hash.ts'
import { Secret } from '../src/lib/secret.ts'

export const PROGRAM = join(import.meta.dirname, '../src/bin.ts')
const TREE = 'datasets'
/** As `./flotilla` starts it: scripts/with-node.sh. */
const AS_STARTED = {
  options: ['--max-semi-space-size=4'],
  // Without the cache in its environment a process loads the compiler of TypeScript for its first file, which is 15 MB.
  env: { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(import.meta.dirname, '../node_modules/.cache/compile') },
}

/** Fragments of a usual form; `title` says what differs. */
export function fragments(count: number, title: (index: number) => string): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (let index = 0; index < count; index++) files.set(`d${index}.xml`, fragment(`d${index}`, title(index)))
  return files
}

function fragment(id: string, title: string): string {
  return `<dataset type="EDDGridFromDap" datasetID="${id}" active="true">
    <sourceUrl>https://example.org/dap/${id}</sourceUrl>
    <reloadEveryNMinutes>10080</reloadEveryNMinutes>
    <addAttributes>
        <att name="title">${title}</att>
        <att name="institution">An institute</att>
    </addAttributes>
</dataset>
`
}

export interface ClusterNode {
  readonly name: string
  /** The file that the node's target writes. */
  readonly file: string
  readonly process: ChildProcess
}

/** A hub and its agents as real processes on the loopback, in a temporary folder; no ERDDAP runs anywhere. */
export class Cluster {
  readonly nodes: ClusterNode[] = []
  readonly client: HubClient
  readonly adminToken: string
  readonly #folder: string
  readonly #hub: ChildProcess
  readonly #url: string

  constructor(folder: string, hub: ChildProcess, url: string) {
    this.#folder = folder
    this.#hub = hub
    this.#url = url
    this.adminToken = readFileSync(join(folder, 'hub/admin.token'), 'utf8').trim()
    this.client = new HubClient({ url, token: new Secret(this.adminToken) })
  }

  get hubPid(): number {
    return this.#hub.pid ?? 0
  }

  /** What a command needs to find the hub. */
  get env(): Readonly<Record<string, string>> {
    return { FLOTILLA_URL: this.#url, FLOTILLA_TOKEN_FILE: join(this.#folder, 'hub/admin.token') }
  }

  /** `more` are options of `up`. */
  static async start(...more: readonly string[]): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-'))
    const log = openSync(join(folder, 'hub.log'), 'a')
    const options = [
      'up',
      '--json',
      '--data',
      join(folder, 'hub'),
      '--listen',
      '127.0.0.1:0',
      '--log-level',
      'warn',
      ...more,
    ]
    const hub = spawn(process.execPath, [...AS_STARTED.options, PROGRAM, ...options], {
      stdio: ['ignore', 'pipe', log],
      env: { ...AS_STARTED.env, ...process.env },
    })
    if (hub.stdout === null) throw new Error('the hub has no output')
    const [line] = (await once(createInterface(hub.stdout), 'line')) as [string]
    return new Cluster(folder, hub, (JSON.parse(line) as { readonly url: string }).url)
  }

  /** Starts an agent, and resolves when its node counts as alive. */
  async addNode(name: string): Promise<ClusterNode> {
    const folder = join(this.#folder, name)
    const content = join(folder, 'content')
    const data = join(folder, 'data')
    for (const each of [content, data]) mkdirSync(each, { recursive: true })
    const { code } = await this.client.createJoinCode()
    const { token } = await this.client.join({ code, node: name })
    writeFileSync(join(folder, 'credential'), token, { mode: 0o600 })
    const config = {
      node: name,
      hub: this.#url,
      logLevel: 'warn',
      targets: { [TREE]: { kind: 'erddap', contentDirectory: content, bigParentDirectory: data } },
    }
    // JSON is YAML.
    writeFileSync(join(folder, 'agent.yaml'), JSON.stringify(config))
    const log = openSync(join(folder, 'agent.log'), 'a')
    const options = ['agent', '--config', join(folder, 'agent.yaml')]
    const node = {
      name,
      file: join(content, 'datasets.xml'),
      process: spawn(process.execPath, [PROGRAM, ...options], { stdio: ['ignore', log, log] }),
    }
    this.nodes.push(node)
    await this.#untilAlive(name)
    return node
  }

  /** Starts an agent and stops it, so that those to be measured find their code compiled, as on any server but at the first start. */
  async warm(): Promise<void> {
    const node = await this.addNode('warm')
    this.nodes.pop()
    node.process.kill()
    await once(node.process, 'exit')
    await this.client.forgetNode(node.name)
  }

  /** The hub holds these contents afterwards; what a release of them then costs is the release alone. */
  async upload(files: ReadonlyMap<string, string>): Promise<void> {
    const { missing } = await this.client.missingBlobs([...files.values()].map((text) => sha256(text)))
    for (const text of files.values()) {
      const hash = sha256(text)
      if (missing.includes(hash)) await this.client.putBlob(hash, Buffer.from(text))
    }
  }

  async release(files: ReadonlyMap<string, string>): Promise<number> {
    const listed = [...files].map(([path, text]) => ({ path, size: Buffer.byteLength(text), sha256: sha256(text) }))
    const { release } = await this.client.release(TREE, { kind: 'erddap', files: listed, message: 'bench' })
    return release.number
  }

  async stop(): Promise<void> {
    this.client.close()
    const processes = [...this.nodes.map((node) => node.process), this.#hub]
    await Promise.all(
      processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill()
        await once(child, 'exit')
      }),
    )
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #untilAlive(name: string): Promise<void> {
    for (let left = 600; left > 0; left--) {
      const { nodes } = await this.client.nodes()
      if (nodes.some(({ node, liveness }) => node === name && liveness === 'alive')) return
      await delay(50)
    }
    throw new Error(`${name} did not come alive: ${readFileSync(join(this.#folder, name, 'agent.log'), 'utf8')}`)
  }
}
