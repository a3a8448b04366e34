import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { runAgent } from '../../src/app/agent.ts'
import { agentSchema } from '../../src/config/agent.ts'
import { parseConfigDocument } from '../../src/config/document.ts'
import type { CatalogAnswer } from '../../src/core/api-catalog.ts'
import { silent } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { type CliHub, startCliHub } from './cli-hub.ts'
import type { CliResult } from './cli.ts'
import { GeoserverNode } from './geoserver-node.ts'

/** One server: a stand-in on its data directory, and the agent beside it, joined as people do it. */
export interface CatalogServer {
  readonly name: string
  readonly geoserver: GeoserverNode
  /** State folder of its agent. */
  readonly state: string
  stop(): Promise<void>
}

/** `settings` of the target besides. */
interface ServerOptions extends Record<string, unknown> {
  /** Has its keystore, as a join brings it. */
  readonly like?: CatalogServer
  /** A graphic that nobody else has. */
  readonly own?: string
  readonly mayRelease?: boolean
}

/** A hub, and servers with a GeoServer, steered by the commands that people type. */
export class CatalogServers {
  readonly hub: CliHub
  readonly #servers = new Map<string, CatalogServer>()

  private constructor(hub: CliHub) {
    this.hub = hub
  }

  static async open(): Promise<CatalogServers> {
    const hub = await startCliHub()
    onTestFinished(async () => await hub.close())
    return new CatalogServers(hub)
  }

  cli(...argv: readonly string[]): Promise<CliResult> {
    return this.hub.cli(...argv)
  }

  /** Rejects with what it said unless it ends with one of these. */
  async must(argv: readonly string[], ...codes: readonly number[]): Promise<CliResult> {
    const done = await this.cli(...argv)
    if ((codes.length === 0 ? [0] : codes).includes(done.code)) return done
    throw new Error(`flotilla ${argv.join(' ')} ended with ${done.code}:\n${done.out}${done.err}`)
  }

  /** The object of `--json`. */
  async json<T>(...argv: readonly string[]): Promise<T> {
    const { out, err } = await this.cli(...argv, '--json')
    if (out === '') throw new Error(`flotilla ${argv.join(' ')} said nothing: ${err}`)
    return JSON.parse(out) as T
  }

  /** Joins a server and starts its agent. `settings` go over those of the target. */
  async add(
    name: string,
    role: 'source' | 'replica' | 'both',
    { like, own, mayRelease = role !== 'replica', ...settings }: ServerOptions = {},
  ): Promise<CatalogServer> {
    const geoserver = new GeoserverNode().seed(name)
    if (like !== undefined) geoserver.shareKeystore(like.geoserver)
    if (own !== undefined) geoserver.write(`styles/${own}`, '<svg/>')
    await geoserver.start()
    // Where `join` keeps it by itself.
    const state = join(this.hub.folder, '.flotilla/nodes', name)
    const source = mayRelease ? ['--source', 'catalog'] : []
    const code = (await this.must(['token', 'join-code', ...source])).out.trim().split('\n')[0] ?? ''
    const its = ['--geoserver-data', geoserver.directory, '--geoserver-url', geoserver.url, '--role', role]
    const secret = ['--geoserver-password-file', join(geoserver.root, 'password')]
    const node = ['--node', name, '--no-start']
    await this.must(['join', this.hub.url, code, ...node, ...its, ...secret])
    const stop = new AbortController()
    const file = join(state, 'agent.yaml')
    const { data } = parseConfigDocument(file, readFileSync(file, 'utf8'))
    const { catalog } = data['targets'] as { catalog: object }
    const quick = { timeoutMs: 3000, retryMs: 300, ...settings }
    const config = agentSchema.parse({ ...data, interval: '2s', targets: { catalog: { ...catalog, ...quick } } })
    const running = runAgent(config, { clock: systemClock, log: silent, signal: stop.signal, base: state })
    const server = {
      name,
      geoserver,
      state,
      stop: async () => {
        stop.abort()
        await running
      },
    }
    onTestFinished(async () => await server.stop())
    this.#servers.set(name, server)
    return server
  }

  server(name: string): CatalogServer {
    const found = this.#servers.get(name)
    if (found === undefined) throw new Error(`no server ${name}`)
    return found
  }

  /** Waits until everybody proves the current release. */
  async inStep(release?: number): Promise<void> {
    await until('in step', async () => {
      const { code, out } = await this.cli('catalog', 'status')
      return code === 0 && (release === undefined || out.includes(`r${release}`)) ? undefined : out
    })
  }

  async catalog(): Promise<CatalogAnswer> {
    const { nodes } = await this.json<{ nodes: CatalogAnswer['nodes'] }>('catalog', 'status')
    return { tree: 'catalog', nodes }
  }

  /** A data directory in a folder of its own, as a checkout of it would be. */
  folder(name: string, geoserver: GeoserverNode, change: (files: Folder) => void = () => undefined): string {
    const to = join(this.hub.folder, name)
    geoserver.copyTo(to)
    change({
      write: (path, content) => {
        mkdirSync(join(to, path, '..'), { recursive: true })
        writeFileSync(join(to, path), content)
      },
      read: (path) => readFileSync(join(to, path), 'utf8'),
      remove: (path) => rmSync(join(to, path), { recursive: true }),
    })
    return to
  }
}

interface Folder {
  readonly write: (path: string, content: string) => void
  readonly read: (path: string) => string
  readonly remove: (path: string) => void
}

const PAUSE_MS = 50
const TIME_MS = 30_000

/** `look` answers undefined once it is so, and what there is until then. */
export async function until(what: string, look: () => Promise<string | undefined>): Promise<void> {
  const endMs = systemClock.monotonicMs() + TIME_MS
  for (;;) {
    const seen = await look()
    if (seen === undefined) return
    if (systemClock.monotonicMs() > endMs) throw new Error(`not ${what}: ${seen}`)
    await systemClock.sleep(PAUSE_MS)
  }
}
