import { randomUUID } from 'node:crypto'
import { getPriority, setPriority } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Agent } from '../agent/agent.ts'
import { folderMemory } from '../agent/memory.ts'
import { agentOnce, type OnceResult } from '../agent/once.ts'
import type { AgentOptions } from '../agent/parts.ts'
import { sweepBlobs } from '../agent/sweep.ts'
import type { Stage } from '../agent/uptake.ts'
import { type AgentConfig, filesTargets, geoserverTargets } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { ObjectReader } from '../core/objects.ts'
import { RELEASE_LIMITS } from '../core/release.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { makeFolder } from '../lib/make-folder.ts'
import { holdLock } from '../lib/process-lock.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { flotillaVersion } from '../lib/version.ts'
import { folderObjects } from '../objects/folder/folder-objects.ts'
import { type BundleRequest, httpBundles, httpObjects } from '../objects/http/http-objects.ts'
import type { BlobStore } from '../releases/blobs.ts'
import { BUNDLE_LIMITS } from '../releases/bundle.ts'
import { openFolderBlobs } from '../releases/folder-blobs.ts'
import { RecentBlobs } from '../releases/recent-blobs.ts'
import { stageRelease } from '../releases/stage.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import type { AgentCatalogDeps } from './agent-catalog.ts'
import type { AgentFilesDeps } from './agent-files.ts'
import { careServices } from './agent-metrics.ts'
import { findPeers, offer, peerUrlOf } from './agent-peers.ts'
import { formerOf } from './agent-former.ts'
import { proxiesOf } from './agent-proxies.ts'
import { templatesOf } from './agent-templates.ts'
import { type NodeTargets, targetsOf } from './agent-targets.ts'
import { openBus } from './bus.ts'
import type { ServedNow } from './files-children.ts'
import { filesAlive } from './files-alive.ts'

export interface AgentDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
}

/** Enough for what one change brings: it is fetched, then compiled from. */
const RECENT = { totalBytes: 4 * 1024 * 1024, blobBytes: 256 * 1024 }
/** The manifest comes in it whole. */
const BUNDLE_BYTES = RELEASE_LIMITS.manifestBytes + 2 * BUNDLE_LIMITS.whole
/** As `nice -n 10`. */
const NICE = 10

/** Runs the agent until the signal is aborted. With SIGHUP it looks at everything again, and tries again what was refused. */
export async function runAgent(config: AgentConfig, deps: AgentDeps): Promise<void> {
  const { clock, log } = deps
  beModest()
  await withParts(config, deps, async ({ options, fetched, hub, blobs }) => {
    const sweep = fetched && sweepBlobs({ blobs: fetched.blobs, inUse: () => agent.inUse(), clock, log })
    const tell = (key: string, value: { readonly atMs: number }): void => agent.tell(key, value)
    const { store, memory } = options
    const proxies = await proxiesOf(config, { store, memory, clock, log, base: deps.base, tell })
    const broker = await openBus(config.bus, { ...deps, name: config.node })
    const offered = fetched && offer({ config, ...fetched, broker, log })
    const served: ServedNow = { trees: [] }
    const care = careServices(config, { clock, log, base: deps.base, served })
    const former = formerOf(config, store)
    const files = await agentFiles(config, { store, memory, clock, log, base: deps.base, tell, served })
    const swept = sweep === undefined ? [] : [sweep]
    const templates = await templatesOf(config, { store, memory, clock, log, base: deps.base, tell })
    const nudge = (): void => agent.look()
    const { targets } = options
    const catalogs = await agentCatalogs(config, {
      store,
      memory,
      clock,
      log,
      base: deps.base,
      targets,
      hub,
      blobs,
      tell,
      look: nudge,
    })
    const beside = [
      ...care,
      ...(offered?.services ?? []),
      ...swept,
      former,
      ...proxies,
      ...files,
      ...catalogs,
      ...templates.services,
    ]
    const agent: Agent = new Agent({ ...options, bus: offered?.bus }, beside)
    const look = (): void => {
      agent.look()
      templates.look()
    }
    process.on('SIGHUP', look)
    try {
      await agent.run(deps.signal)
    } finally {
      process.off('SIGHUP', look)
      await broker?.close()
    }
  })
}

/** Where the agent serves or pulls files; what that takes is loaded only then. */
async function agentFiles(config: AgentConfig, deps: AgentFilesDeps): Promise<readonly Service[]> {
  if (config.files === undefined && filesTargets(config).length === 0) return []
  const { filesOf } = await import('./agent-files.ts')
  return await filesOf(config, deps)
}

/** Where there is a GeoServer beside the agent. */
async function agentCatalogs(config: AgentConfig, deps: AgentCatalogDeps): Promise<readonly Service[]> {
  if (geoserverTargets(config).length === 0) return []
  const { catalogsOf } = await import('./agent-catalog.ts')
  return await catalogsOf(config, deps)
}

/** Serving comes first: what the application needs of processor and memory is not taken away from it. */
function beModest(): void {
  setPriority(Math.max(getPriority(), NICE))
  // An agent works for moments and waits for hours: V8 then should give back what it took, not keep it for the next moment.
  setFlagsFromString('--optimize-for-size')
}

/** Brings the node in step once. */
export async function runAgentOnce(config: AgentConfig, deps: AgentDeps, timeoutMs: number): Promise<OnceResult> {
  return withParts(config, deps, async ({ options, lookedAt }) => {
    await lookedAt?.()
    return agentOnce(options, { timeoutMs, signal: deps.signal })
  })
}

type Options = AgentOptions & { readonly targets: readonly NodeTargets[] }

interface Parts {
  readonly options: Options
  readonly hub: HubAccess
  readonly blobs: BlobStore
  /** What was fetched from elsewhere, which can be offered to others and swept. */
  readonly fetched?: { readonly blobs: BlobStore; readonly peers: ReturnType<typeof findPeers> }
  /** Without a hub: resolves when what is wanted of this node is known. */
  readonly lookedAt?: () => Promise<void>
}

type Use<T> = (parts: Parts) => Promise<T>

async function withParts<T>(config: AgentConfig, deps: AgentDeps, use: Use<T>): Promise<T> {
  const { hub: url, credentialFile } = config
  // First the credential: without it nothing should be made.
  const hub = url === undefined ? undefined : { url, token: await readSecretFile(absolute(deps.base, credentialFile)) }
  const state = absolute(deps.base, config.state)
  await makeFolder(state, 0o700)
  const release = await holdLock(join(state, 'lock'), `the state folder ${state}`)
  try {
    if (hub === undefined) return await withoutHub(config, deps, use)
    return await withHub(config, hub, deps, use)
  } finally {
    await release()
  }
}

interface HubAccess {
  readonly url: string
  readonly token: Secret
}

async function withHub<T>(config: AgentConfig, hub: HubAccess, deps: AgentDeps, use: Use<T>): Promise<T> {
  const { clock, log, base } = deps
  const store = openRemoteStore(hub)
  try {
    const folder = join(absolute(base, config.state), 'blobs')
    const blobs = new RecentBlobs(await openFolderBlobs(folder, { clock, cache: true }), RECENT)
    const peers = findPeers({ node: config.node, store, clock })
    const stage = stageFrom({ ...sourcesOf(config, base, peers, hub), blobs, log })
    return await use({ options: { ...settingsOf(config, store, deps), stage }, fetched: { blobs, peers }, hub, blobs })
  } finally {
    await store.close()
  }
}

/** Everything a release needs lies on this node from its start, and is swept by what keeps the history of releases. */
async function withoutHub<T>(config: AgentConfig, deps: AgentDeps, use: Use<T>): Promise<T> {
  const { lookedAt, withOwnHub } = await import('./agent-alone.ts')
  return withOwnHub(config, deps, async ({ store, blobs, followers, url, tokenFile }) => {
    const stage = stageFrom({ sources: [], bundle: undefined, blobs, log: deps.log })
    const options = { ...settingsOf(config, store, deps), stage }
    const hub = { url, token: await readSecretFile(tokenFile) }
    return await use({ options, hub, blobs, lookedAt: () => lookedAt({ store, followers }, deps) })
  })
}

/** Names for `${node.…}` that every node defines, whatever its configuration. */
const OWN_VALUES = ['name', 'files'] as const

function settingsOf(config: AgentConfig, store: Store, { clock, log, base }: AgentDeps): Omit<Options, 'stage'> {
  const state = absolute(base, config.state)
  return {
    node: config.node,
    version: flotillaVersion(),
    values: [...OWN_VALUES, ...Object.keys(config.values)],
    peerUrl: peerUrlOf(config),
    files: filesAlive(config),
    targets: targetsOf(config, state, { clock, log, store, base }),
    store,
    memory: folderMemory(join(state, 'memory')),
    clock,
    log,
    random: Math.random,
    newId: randomUUID,
    pace: { settledMs: config.interval },
    leaseMs: config.lease,
  }
}

interface Sources {
  readonly sources: readonly ObjectReader[]
  readonly bundle: ((request: BundleRequest) => Promise<Uint8Array>) | undefined
}

/** The hub before the peers: it has every blob, and a peer that is asked first mostly waits for the same release. */
function sourcesOf(
  { sharedBlobs }: AgentConfig,
  base: string,
  peers: ObjectReader,
  { url, token }: HubAccess,
): Sources {
  const hub = httpObjects({ name: `hub ${url}`, url, token })
  if (sharedBlobs === undefined) return { sources: [hub, peers], bundle: httpBundles({ url, token }) }
  return { sources: [folderObjects(absolute(base, sharedBlobs)), hub, peers], bundle: undefined }
}

function stageFrom({ sources, bundle, blobs, log }: Sources & { blobs: BlobStore; log: Logger }): Stage {
  return async ({ desired, requests }, { before, signal }) => {
    const held = new Set(before?.staged.manifest.files.map(({ sha256 }) => sha256))
    const known = { base: before?.wanted.desired.manifest, limitBytes: BUNDLE_BYTES }
    const { manifest, tree, durable } = await stageRelease({
      desired,
      blobs,
      held,
      sources,
      bundle: bundle && (async (wanted, op) => await bundle({ manifest: wanted, ...known, ...op })),
      log,
      signal,
    })
    return { release: { number: desired.release, manifest, tree, requests }, durable }
  }
}
