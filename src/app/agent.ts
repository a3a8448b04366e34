import { randomUUID } from 'node:crypto'
import { watch } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent } from '../agent/agent.ts'
import { folderMemory } from '../agent/memory.ts'
import { agentOnce, type OnceResult } from '../agent/once.ts'
import type { AgentOptions, AgentTarget } from '../agent/parts.ts'
import type { Stage } from '../agent/uptake.ts'
import type { AgentConfig } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { ObjectReader } from '../core/objects.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { flotillaVersion } from '../lib/version.ts'
import { folderObjects } from '../objects/folder/folder-objects.ts'
import { httpObjects } from '../objects/http/http-objects.ts'
import { openFolderBlobs } from '../releases/folder-blobs.ts'
import type { BlobStore } from '../releases/blobs.ts'
import { stageRelease } from '../releases/stage.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import { targets } from '../targets/registry.ts'

export interface AgentDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
}

/** Runs the agent until the signal is aborted. */
export async function runAgent(config: AgentConfig, deps: AgentDeps): Promise<void> {
  await withOptions(config, deps, async (options) => {
    await new Agent(options).run(deps.signal)
  })
}

/** Brings the node in step once. */
export async function runAgentOnce(config: AgentConfig, deps: AgentDeps, timeoutMs: number): Promise<OnceResult> {
  return withOptions(config, deps, (options) => agentOnce(options, { timeoutMs, signal: deps.signal }))
}

async function withOptions<T>(
  config: AgentConfig,
  deps: AgentDeps,
  use: (options: AgentOptions) => Promise<T>,
): Promise<T> {
  const { clock, log, base } = deps
  const state = absolute(base, config.state)
  const token = await readSecretFile(absolute(base, config.credentialFile))
  const blobs = await openFolderBlobs(join(state, 'blobs'), { clock })
  const store = openRemoteStore({ url: config.hub, token })
  try {
    return await use({
      node: config.node,
      version: flotillaVersion(),
      values: [...OWN_VALUES, ...Object.keys(config.values)],
      targets: targetsOf(config, state, deps),
      store,
      stage: stageFrom(sourcesOf(config, base, token), blobs),
      memory: folderMemory(join(state, 'memory')),
      clock,
      log,
      random: Math.random,
      newId: randomUUID,
      pace: { settledMs: config.interval },
      leaseMs: config.lease,
    })
  } finally {
    await store.close()
  }
}

/** Names for `${node.…}` that every node defines, whatever its configuration. */
const OWN_VALUES = ['name', 'files'] as const

function targetsOf(config: AgentConfig, state: string, { clock, log }: AgentDeps): readonly AgentTarget[] {
  const values = new Map(Object.entries(config.values))
  return Object.entries(config.targets).map(([tree, { kind, ...options }]) => {
    const stateDirectory = options.stateDirectory ?? join(state, 'targets', tree)
    const target = targets[kind].create({ ...options, stateDirectory }, { clock, log, node: config.node, values })
    const folders = [options.contentDirectory, options.bigParentDirectory]
    return { tree, target, localChanges: (signal) => changesIn(folders, signal) }
  })
}

/** The file the target writes, and the copy of it that ERDDAP makes when it reads it. */
const WATCHED: ReadonlySet<string | null> = new Set(['datasets.xml', 'currentDatasets.xml'])

async function* changesIn(folders: readonly string[], signal: AbortSignal): AsyncGenerator<void, void> {
  const queue: (() => void)[] = []
  let changed = false
  const ended = Promise.all(
    folders.map(async (folder) => {
      for await (const { filename } of watch(folder, { signal })) {
        if (!WATCHED.has(filename)) continue
        changed = true
        queue.shift()?.()
      }
    }),
  )
  for (;;) {
    if (!changed) await Promise.race([new Promise<void>((resolve) => queue.push(resolve)), ended])
    changed = false
    yield
  }
}

/** Nearest first. */
function sourcesOf(config: AgentConfig, base: string, token: Secret): readonly ObjectReader[] {
  const hub = httpObjects({ name: `hub ${config.hub}`, url: config.hub, token })
  return config.sharedBlobs === undefined ? [hub] : [folderObjects(absolute(base, config.sharedBlobs)), hub]
}

function stageFrom(sources: readonly ObjectReader[], blobs: BlobStore): Stage {
  return async ({ desired, requests }, op) => {
    const { manifest, tree } = await stageRelease({ desired, blobs, sources, ...op })
    return { number: desired.release, manifest, tree, requests }
  }
}
