import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { isGoodFor, type Owner, type Owners, ownersOf } from '../../../core/routing/owners.ts'
import type { NginxConfig } from './config.ts'
import { KEEPALIVE } from './http-conf.ts'
import { bracketed } from './table-text.ts'

/** Nobody answers there: nginx wants a server in each upstream. */
const NOBODY = 'server 127.0.0.1:9 down;'
const REST = 'flotilla_rest'
const REST_LAST_RESORT = 'flotilla_last'
const EVERY_NODE = 'flotilla_every'

/** Each worker learns for itself that a node has died: a zone for every one of so many pools would take much memory. */
const PASSIVE = 'max_fails=2 fail_timeout=5s'

/**
 * The upstreams of a configuration without Lua. For a placed key there is one with its first owner, and the second one behind it:
 * few nodes make few pairs, however many keys there are. The name holds the nodes' ids, with a `d` for a last resort.
 */
export class Pools {
  readonly #table: RoutingTable
  readonly #tries: number
  readonly #byNode: ReadonlyMap<string, Backend>
  readonly #texts = new Map<string, string>()

  constructor(table: RoutingTable, config: NginxConfig) {
    this.#table = table
    this.#tries = config.tries
    this.#byNode = new Map(table.backends.map((backend) => [backend.node, backend]))
  }

  /** One name for each of those who share the key's requests, in their order. */
  forKey(key: string): readonly string[] {
    const { owners, sharers } = this.#placedOnly(key) ?? ownersOf(this.#table, key)
    return Array.from({ length: sharers }, (_, turn) => {
      const mine = owners[turn]
      const order = mine === undefined ? [] : [mine, ...owners.filter((owner) => owner !== mine)]
      const tried = order.slice(0, this.#tries).map(({ node, lastResort }) => {
        const backend = this.#byNode.get(node)
        return { backend, mark: `${backend?.id}${lastResort ? 'd' : ''}` }
      })
      const name = `flotilla_p_${tried.map(({ mark }) => mark).join('_')}`
      const backends = tried.flatMap(({ backend }) => backend ?? [])
      return this.#add(name, chain(backends))
    })
  }

  /** For those who have a session on that node: behind it come only nodes that are good for everything. */
  forSession(home: Backend): string {
    const others = this.#table.backends.filter(
      (backend) => backend !== home && backend.without.size === 0 && isGoodFor(backend, undefined),
    )
    return this.#add(`flotilla_s_${home.id}`, chain([home, ...others]))
  }

  /** For keys that nobody knows, and none: nginx's own hash. */
  forRest(): string {
    const { backends } = this.#table
    const wanted = ['up', 'drained'].find((state) => backends.some((backend) => backend.state === state))
    const weights = backends.map(({ weight }) => weight)
    const isEven = weights.every((weight) => weight === weights[0])
    // The ring has 160 points for each unit of weight.
    const scale = 10 / Math.max(...weights)
    const servers = backends.map(({ host, port, weight, state }) => {
      const share = isEven ? '' : ` weight=${Math.max(1, Math.round(weight * scale))}`
      return `server ${bracketed(host)}:${port}${share} ${PASSIVE}${state === wanted ? '' : ' down'};`
    })
    const lines = ['zone flotilla_rest 1m;', 'hash $flotilla_hash consistent;', ...servers, ...keptAlive(64)]
    const name = wanted === 'drained' ? REST_LAST_RESORT : REST
    return this.#add(name, wanted === undefined ? [NOBODY] : lines)
  }

  forEveryNode(address: string): string {
    return this.#add(EVERY_NODE, [`server ${address};`])
  }

  text(): string {
    return [...this.#texts].map(([name, lines]) => `upstream ${name} {\n${lines}}`).join('\n')
  }

  /** What `ownersOf` says, where the placement alone says enough: no other node needs to be ranked for the key. */
  #placedOnly(key: string): Pick<Owners, 'owners' | 'sharers'> | undefined {
    const hot = this.#table.hot?.get(key) ?? 1
    const owners = (this.#table.placement.get(key) ?? []).flatMap((node): readonly Owner[] => {
      const backend = this.#byNode.get(node)
      return backend !== undefined && isGoodFor(backend, key) ? [{ node, placed: true, lastResort: false }] : []
    })
    return owners.length >= Math.max(hot, this.#tries) ? { owners, sharers: hot } : undefined
  }

  #add(name: string, lines: readonly string[]): string {
    if (!this.#texts.has(name)) this.#texts.set(name, lines.map((line) => `    ${line}\n`).join(''))
    return name
  }
}

/** The first as long as it lives, then the others. */
function chain(backends: readonly Backend[]): readonly string[] {
  if (backends.length === 0) return [NOBODY]
  const servers = backends.map(
    ({ host, port }, index) => `server ${bracketed(host)}:${port} ${PASSIVE}${index === 0 ? '' : ' backup'};`,
  )
  return [...servers, ...keptAlive(32)]
}

function keptAlive(connections: number): readonly string[] {
  return [`keepalive ${connections};`, KEEPALIVE]
}

/** Whether a node of that pool answers as a last resort: an expression over `pool|node's id`. */
export const LAST_RESORT_POOLS = '^(?:flotilla_last\\||flotilla_p_(?:.*_)?(\\d+)d(?:_.*)?\\|\\1\\z)'
