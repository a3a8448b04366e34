import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type AgentDeps, runAgent } from '../../src/app/agent.ts'
import { CatalogClient } from '../../src/client/catalog-client.ts'
import { type AgentConfig, agentSchema } from '../../src/config/agent.ts'
import type { CatalogNodeAnswer, NodeCatalog } from '../../src/core/api-catalog.ts'
import type { ReleaseRecord } from '../../src/core/release.ts'
import type { LogFields, Logger } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { GeoserverConfig } from '../../src/targets/geoserver/config.ts'
import { geoserverKind } from '../../src/targets/geoserver/kind.ts'
import { GeoserverNode } from './geoserver-node.ts'
import { openTestHub, type TestHub, type TestHubOptions } from './hub.ts'

export const TREE = 'gs'

/** One node of a cluster: a stand-in on its data directory, and the agent beside it, in this process. */
export class CatalogNode {
  readonly name: string
  readonly geoserver: GeoserverNode
  readonly #cluster: CatalogCluster
  readonly #settings: Record<string, unknown>
  #stop: AbortController | undefined
  #running: Promise<unknown> = Promise.resolve()

  constructor(name: string, geoserver: GeoserverNode, cluster: CatalogCluster, settings: Record<string, unknown>) {
    this.name = name
    this.geoserver = geoserver
    this.#cluster = cluster
    this.#settings = settings
  }

  get state(): string {
    return join(this.geoserver.root, 'agent')
  }

  /** Besides the target: of the whole agent. */
  more: { readonly targets?: Record<string, unknown> } & Record<string, unknown> = {}

  /** `settings` go over those of the target. */
  config(settings: Record<string, unknown> = {}): AgentConfig {
    const { url } = this.#cluster.hub
    const { directory, root } = this.geoserver
    const target = {
      kind: 'geoserver',
      dataDirectory: directory,
      url: this.geoserver.url,
      passwordFile: join(root, 'password'),
      timeoutMs: 3000,
      retryMs: 300,
      ...this.#settings,
      ...settings,
    }
    const { targets, ...more } = this.more
    const all = { ...targets, [TREE]: target }
    return agentSchema.parse({ node: this.name, hub: url, interval: '2s', ...more, targets: all })
  }

  deps(signal = new AbortController().signal): AgentDeps {
    return { clock: systemClock, log: this.#cluster.log, signal, base: this.state }
  }

  /** Starts its agent. */
  start(settings: Record<string, unknown> = {}): void {
    this.#stop = new AbortController()
    const running = runAgent(this.config(settings), this.deps(this.#stop.signal))
    this.#running = running.catch((error: unknown) => this.#cluster.errors.push(error))
  }

  async stop(): Promise<void> {
    this.#stop?.abort()
    await this.#running
  }

  /** What it last told of the catalog. */
  async told(): Promise<NodeCatalog | undefined> {
    return (await this.#cluster.catalogs()).find(({ node }) => node === this.name)?.catalog
  }
}

/** A hub in this process, and nodes of it. */
export class CatalogCluster {
  readonly hub: TestHub
  readonly client: CatalogClient
  readonly nodes: CatalogNode[] = []
  /** Everything that the agents logged, as text. */
  readonly lines: string[] = []
  /** Why agents ended. */
  readonly errors: unknown[] = []
  readonly log: Logger

  constructor(hub: TestHub) {
    this.hub = hub
    this.client = new CatalogClient({ url: hub.url, token: hub.admin, clock: systemClock })
    const note =
      (level: string) =>
      (message: string, fields?: LogFields): void => {
        this.lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`)
      }
    this.log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  }

  static async open(options: TestHubOptions = {}): Promise<CatalogCluster> {
    const cluster = new CatalogCluster(await openTestHub({ kinds: [geoserverKind()], ...options }))
    onTestFinished(async () => {
      for (const node of cluster.nodes) await node.stop()
      cluster.client.close()
      await cluster.hub.close()
    })
    return cluster
  }

  /** A node with a small catalog of its own ids; its agent is not started yet. */
  async add(
    name: string,
    role: GeoserverConfig['role'],
    { like, ...settings }: { like?: CatalogNode } & Record<string, unknown> = {},
  ): Promise<CatalogNode> {
    const geoserver = new GeoserverNode().seed(name)
    if (like !== undefined) geoserver.shareKeystore(like.geoserver)
    await geoserver.start()
    const node = new CatalogNode(name, geoserver, this, { role, ...settings })
    const sources = role === 'replica' ? [] : [TREE]
    const { code } = await this.hub.client.createJoinCode({ sources })
    const { token } = await this.hub.client.join({ code, node: name })
    mkdirSync(node.state, { recursive: true })
    writeFileSync(join(node.state, 'credential'), token, { mode: 0o600 })
    this.nodes.push(node)
    return node
  }

  async catalogs(): Promise<readonly CatalogNodeAnswer[]> {
    return (await this.client.catalog(TREE)).nodes
  }

  /** Newest first. */
  async releases(): Promise<readonly ReleaseRecord[]> {
    return (await this.hub.client.history(TREE)).releases
  }

  /** One line for each that is not in step with the newest release. */
  async behind(): Promise<readonly string[]> {
    const { desired, nodes } = await this.hub.client.status(TREE)
    const number = desired?.number ?? -1
    return this.nodes.flatMap(({ name }) => {
      const target = nodes.find(({ node }) => node === name)?.targets[TREE]
      const isInStep = target?.state === 'in-step' && target.served === number
      return isInStep ? [] : [`${name}: ${JSON.stringify(target)}`]
    })
  }
}
