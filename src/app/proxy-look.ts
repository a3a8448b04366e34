import { join } from 'node:path'
import { Mirror } from '../agent/mirror.ts'
import { folderMemory } from '../agent/memory.ts'
import type { ProxySettings } from '../config/proxies.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import { type Cluster, clusterOf } from '../core/routing/cluster.ts'
import { explain, type Explanation } from '../core/routing/explain.ts'
import { blockedOf } from '../core/routing/world.ts'
import type { RoutingTable } from '../core/routing/model.ts'
import { TableMaker } from '../core/routing/table.ts'
import { holdLock } from '../lib/process-lock.ts'
import type { Secret } from '../lib/secret.ts'
import { Addresses } from '../targets/proxy/keeper/addresses.ts'
import { SavedCluster } from '../targets/proxy/keeper/saved.ts'
import { addressesOf, askAt, driverOf, routingOf } from './proxy-keepers.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'

/** What a command about a proxy is told. */
export interface ProxyHere {
  readonly name: string
  readonly settings: ProxySettings
  /** State folder of the agent, where this is its machine. */
  readonly state?: string | undefined
  readonly hub?: { readonly url: string; readonly token: Secret } | undefined
}

export interface LookDeps {
  readonly clock: Clock
  readonly log: Logger
}

export interface ProxyView {
  readonly cluster: Cluster
  readonly table: RoutingTable
  /** Whether it is what the hub says now, or what the agent knew last. */
  readonly from: 'hub' | 'state'
  /** Nodes that did not answer a moment ago. */
  readonly down: readonly string[]
}

/** What this proxy is told now. Rejects with `UNREACHABLE` where no hub answers and nothing is known from before. */
export async function lookAtProxy(here: ProxyHere, deps: LookDeps, op: Op): Promise<ProxyView> {
  return await look(here, deps, { ...op, also: [blockedOf(here.settings.tree)] })
}

interface Look extends Op {
  /** More of the store than nodes, releases and drains. */
  readonly also: readonly string[]
}

async function look(here: ProxyHere, deps: LookDeps, op: Look): Promise<ProxyView> {
  const { settings } = here
  const addresses = new Addresses({
    ...deps,
    name: here.name,
    lookup: addressesOf,
    networks: settings.networks,
    onChange: () => undefined,
  })
  const known = await savedOf(here, deps)?.load()
  addresses.restore(known?.addresses ?? {})
  const live = await liveCluster(here, known?.cluster, op)
  const cluster = live ?? known?.cluster
  if (cluster === undefined) throw nothingKnown(here)
  await addresses.find(cluster.members.map(({ host }) => host))
  const addressOf = (host: string): string | undefined => addresses.of(host)
  const down = await silent(cluster, settings, addressOf, deps.clock)
  const table = new TableMaker(routingOf(settings)).make(cluster, { down: new Set(down), addressOf })
  return { cluster, table, from: live === undefined ? 'state' : 'hub', down }
}

/** The files of the proxy's configuration, by path. */
export async function renderProxy(here: ProxyHere, deps: LookDeps, op: Op): Promise<ReadonlyMap<string, string>> {
  const { table } = await lookAtProxy(here, deps, op)
  return (await driverOf(here.settings, deps)).render(table)
}

/** Rejects with `PROXY_REFUSED` and the proxy's own words. */
export async function checkProxy(here: ProxyHere, deps: LookDeps, op: Op): Promise<ProxyView> {
  const view = await lookAtProxy(here, deps, op)
  await (await driverOf(here.settings, deps)).check(view.table, op)
  return view
}

/** Does once what the agent does all the time, and so only while it does not run. */
export async function applyProxy(here: ProxyHere, deps: LookDeps, op: Op): Promise<'unchanged' | 'told' | 'reloaded'> {
  const { state, settings } = here
  const letGo = state === undefined ? undefined : await holdLock(join(state, 'lock'), `the state folder ${state}`)
  try {
    const { table } = await lookAtProxy(here, deps, op)
    return (await (await driverOf(settings, deps)).apply(table, op)).how
  } finally {
    await letGo?.()
  }
}

export async function explainProxy(
  url: string,
  here: ProxyHere,
  deps: LookDeps,
  op: Op,
): Promise<Explanation & Pick<ProxyView, 'from' | 'down'>> {
  // Which addresses are blocked may not be for those who ask, and has nothing to do with the way.
  const { table, cluster, from, down } = await look(here, deps, { ...op, also: [] })
  return { ...explain(url, table, cluster), from, down }
}

function savedOf({ name, settings, state }: ProxyHere, deps: LookDeps): SavedCluster | undefined {
  if (state === undefined) return undefined
  const memory = folderMemory(join(state, 'memory'))
  return new SavedCluster({ ...deps, memory, proxy: name, tree: settings.tree })
}

/** Undefined where there is no hub, or it does not answer. */
async function liveCluster(
  { hub, settings }: ProxyHere,
  before: Cluster | undefined,
  { also, ...op }: Look,
): Promise<Cluster | undefined> {
  const { tree, nodes } = settings
  const options = { tree, fixed: nodes }
  if (hub === undefined) return Object.keys(nodes).length === 0 ? undefined : clusterOf(options, 0, [], before)
  const store = openRemoteStore(hub)
  try {
    const prefixes = [keys.desired(tree), keys.rollout(tree), keys.drains, keys.nodes] as const
    const mirror = new Mirror({ store, prefixes: [...prefixes, ...also], onChange: () => undefined })
    await mirror.refresh(op)
    return clusterOf(options, mirror.revision ?? 0, mirror.entries.values(), before)
  } catch (error) {
    if (isError(error, 'UNREACHABLE', 'NOT_READY') && before !== undefined) return undefined
    throw error
  } finally {
    await store.close()
  }
}

/** Asks every node once, all at the same time. */
async function silent(
  { members }: Cluster,
  settings: ProxySettings,
  addressOf: (host: string) => string | undefined,
  clock: Clock,
): Promise<readonly string[]> {
  const asked = members.map(async ({ node, host, port }) => {
    const address = addressOf(host)
    if (address === undefined) return [node]
    const asker = askAt({ host: address, port }, settings, clock)
    const isGood = await asker.ask().catch(() => false)
    asker.close()
    return isGood ? [] : [node]
  })
  return (await Promise.all(asked)).flat()
}

function nothingKnown({ name }: ProxyHere): FlotillaError {
  return new FlotillaError('UNREACHABLE', `nothing is known of the nodes behind ${name}`, {
    hint: 'Say where the hub is (--url), or name the nodes in `proxies`.',
  })
}
