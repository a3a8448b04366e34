import { lookup } from 'node:dns/promises'
import { Mirror } from '../agent/mirror.ts'
import { HubClient } from '../client/hub-client.ts'
import type { AgentConfig } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { ProxySettings } from '../config/proxies.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { ProxyDriver } from '../core/routing/model.ts'
import { type RoutingSettings, TableMaker } from '../core/routing/table.ts'
import type { Service } from '../core/service.ts'
import { PHRASE, readSecretFile } from '../lib/secret-file.ts'
import { FlagListener } from '../targets/proxy/flags/flag-listener.ts'
import { Addresses } from '../targets/proxy/keeper/addresses.ts'
import { askOverHttp } from '../targets/proxy/keeper/ask.ts'
import { Health, type Place } from '../targets/proxy/keeper/health.ts'
import { Keeper } from '../targets/proxy/keeper/keeper.ts'
import { SavedCluster } from '../targets/proxy/keeper/saved.ts'
import { proxies } from '../targets/registry.ts'
import type { ProxiesDeps } from './agent-proxies.ts'

/** Looks after every proxy beside this agent, with one copy of the store for all of them. */
export async function keepersOf(config: AgentConfig, deps: ProxiesDeps): Promise<readonly Service[]> {
  const services: Service[] = []
  const keepers: Keeper[] = []
  const feed = new Mirror({
    store: deps.store,
    prefixes: [keys.desiredOfAll, keys.rollouts, keys.drains, keys.nodes, keys.listsOfAll],
    onChange: (changed) => {
      for (const keeper of keepers) keeper.changed(changed)
    },
  })
  for (const [name, proxy] of Object.entries(config.proxies)) {
    const { keeper, beside } = await looksAfter(name, proxy, feed, config, deps)
    keepers.push(keeper)
    services.push(keeper, ...beside)
    if (proxy.flags !== undefined) services.push(await flagsOf(proxy, config, deps))
  }
  return [feed, ...services]
}

interface LooksAfter {
  readonly keeper: Keeper
  readonly beside: readonly Service[]
}

async function looksAfter(
  name: string,
  proxy: ProxySettings,
  feed: Mirror,
  { node }: AgentConfig,
  { memory, clock, log, tell }: ProxiesDeps,
): Promise<LooksAfter> {
  const { tree, nodes, networks, probe } = proxy
  const onChange = (): void => keeper.look()
  const common = { name, clock, log, onChange }
  const addresses = new Addresses({ ...common, networks, lookup: addressesOf })
  const expected = (other: string): readonly string[] => keeper.expected(other)
  const health = new Health({ ...common, pace: probe, expected, open: (place) => askAt(place, proxy, clock) })
  const keeper: Keeper = new Keeper({
    ...common,
    tree,
    fixed: Object.keys(nodes).length === 0 ? undefined : nodes,
    driver: await driverOf(proxy, { clock, log }),
    maker: new TableMaker(routingOf(proxy)),
    feed,
    health,
    addresses,
    saved: new SavedCluster({ memory, proxy: name, tree, clock, log }),
    tell: (told) => tell(keys.proxy(node, name), told),
    random: Math.random,
  })
  return { keeper, beside: [health, addresses] }
}

/** The proxy itself, as its settings describe it. */
export async function driverOf(proxy: ProxySettings, deps: { clock: Clock; log: Logger }): Promise<ProxyDriver> {
  return proxy.kind === 'nginx'
    ? await proxies.kinds.nginx.create(proxy, deps)
    : await proxies.kinds.haproxy.create(proxy, deps)
}

export function routingOf({ rules, weights, hot, bound, depth, flags }: ProxySettings): RoutingSettings {
  const shared = new Map(Object.entries(hot).map(([key, count]) => [key, count as 2 | 3 | 4]))
  return { rules, weights, hot: shared, bound, depth, everyNode: flags?.listen }
}

/** One question, as a node is asked it again and again. */
export function askAt(place: Place, { probe, rules }: ProxySettings, clock: Clock) {
  const { status, timeoutMs } = probe
  const erddap = rules.find(({ system }) => system === 'erddap')
  const base = erddap !== undefined && 'base' in erddap ? erddap.base : undefined
  const path = probe.path ?? (base === undefined ? '/' : `${base}/version`)
  const listPath = base === undefined ? undefined : `${base}/tabledap/allDatasets.csv0?datasetID`
  return askOverHttp({ clock, path, listPath, status, timeoutMs }, place)
}

export async function addressesOf(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address)
}

async function flagsOf(
  { flags, rules, tree }: ProxySettings,
  { hub }: AgentConfig,
  { base, clock, log }: ProxiesDeps,
): Promise<Service> {
  if (flags === undefined || hub === undefined) {
    throw new FlotillaError('CONFIG_INVALID', 'flags of a proxy are passed on by a hub, and `hub` is not set')
  }
  const { listen, urls, keyFile, tokenFile } = flags
  const [, host = '', port] = /^\[?(.+?)\]?:(\d+)$/.exec(listen) ?? []
  const key = await readSecretFile(absolute(base, keyFile), PHRASE)
  const client = new HubClient({ url: hub, token: await readSecretFile(absolute(base, tokenFile)) })
  return new FlagListener({
    host,
    port: Number(port),
    rules,
    urls,
    key,
    reload: async (dataset, op) => {
      await client.request(tree, { kind: 'reload', flag: 'soft', datasets: [dataset] }, op)
    },
    clock,
    log,
  })
}
