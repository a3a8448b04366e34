import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CatalogClient } from '../../src/client/catalog-client.ts'
import { HubClient, join as joinHub } from '../../src/client/hub-client.ts'
import type { CatalogNodeAnswer } from '../../src/core/api-catalog.ts'
import type { StatusAnswer } from '../../src/core/api.ts'
import type { Role } from '../../src/core/catalog/three-way.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { GeoserverConfig } from '../../src/targets/geoserver/config.ts'
import { fixedPort } from './fixed-port.ts'
import { GeoserverMachine, Program } from './geoserver-machine.ts'
import { HubProcess } from './hub-process.ts'
import { type Ran, run } from './program.ts'
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export const TREE = 'catalog'
/** How often agents look although nothing was heard. */
const INTERVAL_MS = 1000

export interface NodeOptions {
  readonly role?: Role
  /** Of the target. */
  readonly settings?: Partial<GeoserverConfig>
  /** Of the agent besides. */
  readonly agent?: Readonly<Record<string, unknown>>
  /** Further targets of the agent. */
  readonly targets?: Readonly<Record<string, unknown>>
  /** Options of the stand-in. */
  readonly standin?: readonly string[]
  /** With a keystore of its own, as GeoServer makes it at its first start. */
  readonly ownKeystore?: boolean
  /** Called with the machine before its GeoServer starts; the small catalog unless told. */
  readonly fill?: (machine: GeoserverMachine) => void
}

interface NodeConfig {
  readonly node: string
  readonly hub: string
  readonly state: string
  readonly credentialFile: string
  readonly interval: string
}

interface ClusterNode {
  readonly machine: GeoserverMachine
  readonly wire: TcpProxy
}

/** A hub, and nodes with a GeoServer stand-in and an agent each, all as processes. */
export class GeoserverCluster {
  readonly folder: string
  readonly hub: HubProcess
  readonly client: HubClient
  readonly catalog: CatalogClient
  readonly #nodes = new Map<string, ClusterNode>()
  readonly #agents: Program[] = []

  private constructor(folder: string, hub: HubProcess) {
    this.folder = folder
    this.hub = hub
    const connection = { url: hub.url, token: new Secret(hub.token) }
    this.client = new HubClient(connection)
    this.catalog = new CatalogClient({ ...connection, clock: systemClock })
  }

  static async start(): Promise<GeoserverCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-geoserver-'))
    return new GeoserverCluster(folder, await HubProcess.start({ folder, name: 'hub' }))
  }

  get machines(): readonly GeoserverMachine[] {
    return [...this.#nodes.values()].map(({ machine }) => machine)
  }

  machine(name: string): GeoserverMachine {
    return this.#node(name).machine
  }

  /** Between the agent of a node and the hub. */
  wire(name: string): TcpProxy {
    return this.#node(name).wire
  }

  /** Answers when its GeoServer and its agent run. */
  async addNode(name: string, options: NodeOptions = {}): Promise<GeoserverMachine> {
    const { role = 'replica', standin = [], fill } = options
    const machine = new GeoserverMachine(this.folder, name, await fixedPort(), standin)
    if (fill === undefined) machine.seed()
    else fill(machine)
    const [first] = this.machines
    if (first !== undefined && options.ownKeystore !== true) machine.shareKeystore(first)
    await machine.start()
    const wire = await openTcpProxy(this.hub.url)
    this.#nodes.set(name, { machine, wire })
    const where = await this.#join(name, role, wire.url)
    const target = {
      kind: 'geoserver',
      dataDirectory: machine.directory,
      url: machine.url,
      passwordFile: machine.passwordFile,
      role,
      timeoutMs: 5000,
      ...options.settings,
    }
    writeConfig({ ...where, ...options.agent, targets: { ...options.targets, [TREE]: target } })
    machine.startAgent()
    return machine
  }

  /** A node without a GeoServer, whose agent has these settings besides, such as `proxies`. */
  async addAgent(name: string, settings: object): Promise<void> {
    const config = { ...(await this.#join(name, 'replica', this.hub.url)), ...settings }
    writeConfig(config)
    const agent = new Program()
    this.#agents.push(agent)
    agent.run(['agent', '--config', join(config.state, 'agent.yaml')], { cwd: this.folder })
  }

  async flotilla(...argv: readonly string[]): Promise<Ran> {
    const env = { FLOTILLA_URL: this.hub.url, FLOTILLA_TOKEN_FILE: this.hub.tokenFile }
    return await run(argv, { cwd: this.folder, env })
  }

  async status(): Promise<StatusAnswer> {
    return await this.client.status(TREE)
  }

  /** Number of the release that every node should serve; 0 before the first. */
  async desired(): Promise<number> {
    return (await this.status()).desired?.number ?? 0
  }

  /** What a node last told of its own changes. */
  async own(name: string): Promise<CatalogNodeAnswer | undefined> {
    return (await this.catalog.catalog(TREE)).nodes.find(({ node }) => node === name)
  }

  /** Resolves once every node proves the desired release, which is at least that one, and none has something to release. */
  async inStep(atLeast = 1, timeoutMs = 60_000): Promise<number> {
    let last: StatusAnswer | undefined
    await until(
      async () => {
        last = await this.status().catch(() => undefined)
        return last?.state === 'in-step' && (last.desired?.number ?? 0) >= atLeast
      },
      () => `r${atLeast} is not served by all: ${JSON.stringify(last, undefined, 1)}\n${this.said()}`,
      timeoutMs,
    )
    return last?.desired?.number ?? 0
  }

  /** Resolves once the data directories of all nodes mean the same. */
  async same(timeoutMs = 60_000): Promise<void> {
    let differing: readonly string[] = []
    await until(
      async () => {
        differing = await this.#differing()
        return differing.length === 0
      },
      () => `nodes differ in ${differing.join(', ')}\n${this.said()}`,
      timeoutMs,
    )
  }

  async areSame(): Promise<boolean> {
    return (await this.#differing()).length === 0
  }

  /** Resolves once every agent has had the time to look at everything twice: what did not happen by then does not happen. */
  async lookedAgain(): Promise<void> {
    await delay(2 * INTERVAL_MS + 1000)
  }

  /** What every agent said, for whoever has to find out what went wrong. */
  said(): string {
    const all = [...this.machines.map(({ agent }) => agent), ...this.#agents]
    return all.map((agent) => agent.said()).join('\n--\n')
  }

  /** The hub's store, file by file, without the contents of releases. */
  stored(): readonly string[] {
    const folder = join(this.folder, 'hub/data')
    const files = readdirSync(folder, { withFileTypes: true }).filter(
      (entry) => entry.isFile() && !entry.name.endsWith('.token'),
    )
    return files.map(({ name }) => readFileSync(join(folder, name), 'latin1'))
  }

  async stop(): Promise<void> {
    this.client.close()
    this.catalog.close()
    for (const { machine, wire } of this.#nodes.values()) {
      await Promise.all([machine.agent.kill(), machine.server.kill()])
      await wire.close()
    }
    for (const agent of this.#agents) await agent.kill()
    await this.hub.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #differing(): Promise<readonly string[]> {
    const [first, ...others] = await Promise.all(this.machines.map(async (each) => await each.digests()))
    return others.flatMap((other) => differingKeys(first ?? {}, other))
  }

  async #join(name: string, role: Role, hub: string): Promise<NodeConfig> {
    const { code } = await this.client.createJoinCode(role === 'replica' ? {} : { sources: [TREE] })
    const { token } = await joinHub(this.hub.url, { node: name, code })
    const state = join(this.folder, name, 'state')
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const credentialFile = join(this.folder, name, 'credential')
    writeFileSync(credentialFile, token, { mode: 0o600 })
    return { node: name, hub, state, credentialFile, interval: '1s' }
  }

  #node(name: string): ClusterNode {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }
}

function writeConfig(config: NodeConfig & Readonly<Record<string, unknown>>): void {
  // JSON is YAML.
  writeFileSync(join(config.state, 'agent.yaml'), JSON.stringify(config))
}

/** Waits for a condition, however busy the machine is; throws what is wrong where it never comes true. */
export async function until(condition: () => Promise<boolean>, wrong: () => string, timeoutMs = 60_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(wrong())
    await delay(30)
  }
}

function differingKeys(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]).toSorted()
}
