import { EventEmitter, once } from 'node:events'
import { watch } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentTarget } from '../agent/parts.ts'
import { type AgentConfig, type ErddapTarget, type GeoserverTarget, releaseTargets } from '../config/agent.ts'
import type { JmsConfig } from '../config/jms.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Store } from '../core/store.ts'
import { Liveness, takesConnections } from '../lib/liveness.ts'
import type { CatalogNode } from '../targets/geoserver/local.ts'
import { targets } from '../targets/registry.ts'
import { calmTraffic, trafficOf } from './agent-traffic.ts'
import type { CatalogData, catalogData } from './catalog-data.ts'

interface TargetDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly store: Store
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
}

export interface NodeTargets extends AgentTarget {
  /** Of a GeoServer: what the node has that no release has. */
  readonly catalog?: CatalogNode
  /** Of a GeoServer whose data comes with a tree of files. */
  readonly data?: Promise<CatalogData | undefined> | undefined
}

/** The targets of a node that take releases, each with the tree of these. */
export function targetsOf(config: AgentConfig, state: string, deps: TargetDeps): readonly NodeTargets[] {
  return releaseTargets(config).map(([tree, one]) => targetOf(tree, one, config, state, deps))
}

function targetOf(
  tree: string,
  one: ErddapTarget | GeoserverTarget,
  config: AgentConfig,
  state: string,
  deps: TargetDeps,
): NodeTargets {
  const stateDirectory = one.stateDirectory ?? join(state, 'targets', tree)
  const at = { tree, serves: servesAt(one.serveUrl ?? one.url) }
  if (one.kind === 'erddap') return { ...at, ...erddapAt({ ...one, stateDirectory }, config, deps) }
  return { ...at, ...geoserverAt(tree, { ...one, stateDirectory }, config, deps) }
}

type At = Omit<NodeTargets, 'tree' | 'serves'>

function erddapAt(one: ErddapTarget & { stateDirectory: string }, config: AgentConfig, deps: TargetDeps): At {
  const { kind, serveUrl: _, ...options } = one
  const { clock, log } = deps
  const values = new Map(Object.entries(config.values))
  const target = targets[kind].create(options, { clock, log, node: config.node, values })
  const folders = [options.contentDirectory, options.bigParentDirectory]
  const liveness = livenessOf(options.url, clock)
  return { target, localChanges: (signal) => changesOf([...folders.map(datasetsXmlIn), ...alive(liveness)], signal) }
}

/** GeoServer writes the files of one change within milliseconds, each whole; half of a file that others write is known as such. */
const SETTLE_MS = 100

function geoserverAt(
  tree: string,
  one: GeoserverTarget & { stateDirectory: string },
  config: AgentConfig,
  { clock, log, store, base }: TargetDeps,
): At {
  const { kind, serveUrl: _, tokenFile: _token, shareKeystore: _share, dataTree, jms, ...options } = one
  const { node } = config
  const traffic = calmTraffic(clock, async (op) => await trafficOf(tree, node, store, op))
  const data = dataTree === undefined ? undefined : dataOf(config, { ...options, dataTree }, { store, clock, base })
  const missingData = data && (async (urls: readonly string[], op: Op) => await (await data)?.missing(urls, op))
  const target = targets[kind].create(options, { clock, log, traffic, missingData })
  const liveness = livenessOf(options.url, clock)
  const files: Watching = async (changed, signal) => {
    for await (const _change of target.changes(signal)) changed()
  }
  const cluster = jms === undefined ? [] : [toldByJms(jms, { clock, log, base, node })]
  const all = [files, ...cluster, ...alive(liveness)]
  const localChanges = (signal: AbortSignal) => changesOf(all, signal)
  return { target, catalog: target.catalog, data, localChanges, settleMs: SETTLE_MS }
}

async function dataOf(...given: Parameters<typeof catalogData>): Promise<CatalogData | undefined> {
  const { catalogData: make } = await import('./catalog-data.ts')
  return make(...given)
}

/** A change elsewhere in the cluster comes to this GeoServer's files, of which not every file system tells. */
function toldByJms(jms: JmsConfig, deps: Omit<TargetDeps, 'store'> & { readonly node: string }): Watching {
  return async (changed, signal) => {
    const { listenToJms } = await import('./jms.ts')
    await listenToJms(jms, changed, deps, signal)
  }
}

/** What proxies are told: which paths lie there is for them to say. */
function servesAt(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).origin
}

/** Without an address nothing is asked, and nothing can be proved that the end of the application would disprove. */
function livenessOf(url: string | undefined, clock: Clock): Liveness | undefined {
  if (url === undefined) return undefined
  return new Liveness({ clock, answers: async (signal) => await takesConnections(url, signal) })
}

/** Calls `changed` for every change until the signal is aborted; rejects when it cannot watch any more. */
type Watching = (changed: () => void, signal: AbortSignal) => Promise<void>

function alive(liveness: Liveness | undefined): readonly Watching[] {
  if (liveness === undefined) return []
  return [
    async (changed, signal) => {
      for await (const _ of liveness.changes(signal)) changed()
    },
  ]
}

/** The file that the target writes, and the copy of it that ERDDAP makes when it reads it. */
const WATCHED: ReadonlySet<string | null> = new Set(['datasets.xml', 'currentDatasets.xml'])

function datasetsXmlIn(folder: string): Watching {
  return async (changed, signal) => {
    for await (const { filename } of watch(folder, { signal })) if (WATCHED.has(filename)) changed()
  }
}

/**
 * Yields after every change that one of them tells of; any number before the next look are one. Rejects when one cannot go on, such as
 * when its folder is no longer there.
 */
async function* changesOf(all: readonly Watching[], signal: AbortSignal): AsyncGenerator<void, void> {
  const left = new AbortController()
  const changes = new EventEmitter()
  const either = AbortSignal.any([signal, left.signal])
  const watching = all.map(async (one) => await one(() => changes.emit('change'), either))
  const broken = Promise.race(watching)
  // Whoever reads the generator next is told; nobody may be reading just now.
  broken.catch(() => undefined)
  for (const one of watching) one.catch(() => undefined)
  try {
    for (;;) {
      await Promise.race([once(changes, 'change', { signal: either }), broken])
      yield
    }
  } finally {
    left.abort()
  }
}
