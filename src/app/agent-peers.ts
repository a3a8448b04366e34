import { hostname } from 'node:os'
import { Listener } from '../agent/listener.ts'
import { Peers } from '../agent/peers.ts'
import { HttpBus } from '../bus/http/http-bus.ts'
import type { AgentConfig } from '../config/agent.ts'
import type { Bus } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { ObjectReader } from '../core/objects.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import type { Secret } from '../lib/secret.ts'
import { httpObjects } from '../objects/http/http-objects.ts'
import type { BlobStore } from '../releases/blobs.ts'

/** The other nodes, as a source of blobs. */
export function findPeers({ node, store, clock }: { node: string; store: Store; clock: Clock }): Peers {
  return new Peers({ node, store, clock, random: Math.random, open: peerBlobs })
}

function peerBlobs({ node, url, key }: { node: string; url: string; key: Secret }): ObjectReader {
  return httpObjects({ name: `peer ${node}`, url, token: key })
}

interface OfferOptions {
  readonly config: AgentConfig
  readonly blobs: BlobStore
  readonly peers: Peers
  /** What carries hints where the configuration names something that does. */
  readonly broker: Bus | undefined
  readonly log: Logger
}

/** What this node offers to others, where it is told to listen; hints that come in that way are heard. */
export function offer(options: OfferOptions): { services: readonly Service[]; bus: Bus | undefined } {
  const { config, blobs, peers, broker, log } = options
  if (config.peerListen === undefined) return { services: [], bus: broker }
  const key = (): ReturnType<Peers['key']> => peers.key({})
  const bus = new HttpBus({ listeners: () => Promise.resolve([]), key, log })
  const listener = new Listener({
    ...config.peerListen,
    blobs,
    key: (op) => peers.key(op),
    onHint: (hint) => bus.receive(hint),
    onListening: ({ host, port }) => log.info('other nodes can fetch blobs here', { host, port }),
    log,
  })
  return { services: broker === undefined ? [listener] : [listener, passOn(broker, bus, config.node)], bus }
}

/** What the broker brings is heard with what comes in through the listener. */
function passOn(broker: Bus, bus: HttpBus, node: string): Service {
  return {
    name: 'broker',
    run: async (signal) => {
      for await (const hint of broker.subscribe({ node, signal })) bus.receive(hint)
    },
  }
}

/** How others reach it; with a port that is not fixed only the configuration can say it. */
export function peerUrlOf({ peerListen, peerUrl }: AgentConfig): string | undefined {
  if (peerListen === undefined || peerUrl !== undefined || peerListen.port === 0) return peerUrl
  const { host, port } = peerListen
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? hostname() : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
