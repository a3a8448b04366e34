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
import type { AgentConfig } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { ObjectReader } from '../core/objects.ts'
import { RELEASE_LIMITS } from '../core/release.ts'
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
import { findPeers, offer, peerUrlOf } from './agent-peers.ts'
import { targetsOf } from './agent-targets.ts'
import { openBus } from './bus.ts'

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
  await withParts(config, deps, async ({ options, blobs, peers }) => {
    const broker = await openBus(config.bus, { ...deps, name: config.node })
    const { services, bus } = offer({ config, blobs, peers, broker, log })
    const sweep = sweepBlobs({ blobs, inUse: () => agent.inUse(), clock, log })
    const agent: Agent = new Agent({ ...options, bus }, [...services, sweep])
    const look = (): void => agent.look()
    process.on('SIGHUP', look)
    try {
      await agent.run(deps.signal)
    } finally {
      process.off('SIGHUP', look)
      await broker?.close()
    }
  })
}

/** Serving comes first: what the application needs of processor and memory is not taken away from it. */
function beModest(): void {
  setPriority(Math.max(getPriority(), NICE))
  // An agent works for moments and waits for hours: V8 then should give back what it took, not keep it for the next moment.
  setFlagsFromString('--optimize-for-size')
}

/** Brings the node in step once. */
export async function runAgentOnce(config: AgentConfig, deps: AgentDeps, timeoutMs: number): Promise<OnceResult> {
  return withParts(config, deps, ({ options }) => agentOnce(options, { timeoutMs, signal: deps.signal }))
}

interface Parts {
  readonly options: AgentOptions
  readonly blobs: BlobStore
  readonly peers: ReturnType<typeof findPeers>
}

async function withParts<T>(config: AgentConfig, deps: AgentDeps, use: (parts: Parts) => Promise<T>): Promise<T> {
  const { clock, log, base } = deps
  const state = absolute(base, config.state)
  const token = await readSecretFile(absolute(base, config.credentialFile))
  await makeFolder(state, 0o700)
  const release = await holdLock(join(state, 'lock'), `the state folder ${state}`)
  const store = openRemoteStore({ url: config.hub, token })
  try {
    const blobs = new RecentBlobs(await openFolderBlobs(join(state, 'blobs'), { clock, cache: true }), RECENT)
    const peers = findPeers({ node: config.node, store, clock })
    const stage = stageFrom({ ...sourcesOf(config, base, peers, token), blobs, log })
    const options = { ...settingsOf(config, state, store, deps), stage }
    return await use({ options, blobs, peers })
  } finally {
    await store.close()
    await release()
  }
}

/** Names for `${node.…}` that every node defines, whatever its configuration. */
const OWN_VALUES = ['name', 'files'] as const

function settingsOf(
  config: AgentConfig,
  state: string,
  store: Store,
  { clock, log }: AgentDeps,
): Omit<AgentOptions, 'stage'> {
  return {
    node: config.node,
    version: flotillaVersion(),
    values: [...OWN_VALUES, ...Object.keys(config.values)],
    peerUrl: peerUrlOf(config),
    targets: targetsOf(config, state, { clock, log }),
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
function sourcesOf(config: AgentConfig, base: string, peers: ObjectReader, token: Secret): Sources {
  const hub = httpObjects({ name: `hub ${config.hub}`, url: config.hub, token })
  if (config.sharedBlobs === undefined) {
    return { sources: [hub, peers], bundle: httpBundles({ url: config.hub, token }) }
  }
  return { sources: [folderObjects(absolute(base, config.sharedBlobs)), hub, peers], bundle: undefined }
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
