import { expect, onTestFinished, test } from 'vitest'
import { Listener } from '../../src/agent/listener.ts'
import { HttpBus } from '../../src/bus/http/http-bus.ts'
import { silent } from '../../src/core/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { seeded } from '../helpers/random.ts'
import { MemoryBlobs } from '../helpers/memory-blobs.ts'
import { LossyBus } from '../fault/lossy-bus.ts'
import { busContract, type BusUnderTest } from './bus.ts'

const KEY = new Secret('shared')

interface Node {
  readonly bus: HttpBus
  readonly url: string
  stop(): Promise<void>
}

/** A bus as a node has it: it hears what its own listener gets. */
async function startNode(): Promise<Node> {
  const bus = new HttpBus({ listeners: async () => [], key: async () => KEY, log: silent })
  const stop = new AbortController()
  const { promise, resolve } = Promise.withResolvers<string>()
  const listener = new Listener({
    host: '127.0.0.1',
    port: 0,
    blobs: new MemoryBlobs(systemClock),
    key: async () => KEY,
    onHint: (hint) => bus.receive(hint),
    onListening: ({ host, port }) => resolve(`http://${host}:${port}`),
    log: silent,
  })
  const running = listener.run(stop.signal)
  const url = await promise
  return {
    bus,
    url,
    async stop() {
      stop.abort()
      await running
      await bus.close()
    },
  }
}

async function open(): Promise<BusUnderTest & { readonly nodes: ReadonlyMap<string, Node> }> {
  const nodes = new Map([
    ['erd1', await startNode()],
    ['erd2', await startNode()],
  ])
  const urls = [...nodes.values()].map(({ url }) => url)
  const publisher = new HttpBus({ listeners: async () => urls, key: async () => KEY, log: silent })
  return {
    nodes,
    publisher,
    subscriber: (node) => nodes.get(node)?.bus ?? publisher,
    async close() {
      await publisher.close()
      for (const node of nodes.values()) await node.stop()
    },
  }
}

busContract('http', open, { lossy: false })

busContract(
  'http, repeating',
  async () => {
    const bus = await open()
    const publisher = new LossyBus(bus.publisher, { repeat: 0.5, clock: systemClock, random: seeded(5) })
    return { ...bus, publisher }
  },
  { lossy: true },
)

test('a node that is gone, or that announced nonsense, holds nobody up', async () => {
  const node = await startNode()
  onTestFinished(async () => await node.stop())
  const urls = ['http://127.0.0.1:1', 'file:///etc/passwd', 'not a url', 'http://user:pw@127.0.0.1:1', node.url]
  const publisher = new HttpBus({ listeners: async () => urls, key: async () => KEY, log: silent })
  onTestFinished(async () => await publisher.close())
  const heard = node.bus.subscribe({ node: 'erd1', signal: new AbortController().signal })[Symbol.asyncIterator]()
  await publisher.publish({ prefix: 'desired/', revision: 1 })
  expect((await heard.next()).value).toEqual({ prefix: 'desired/', revision: 1 })
})

test('a publisher with another key is not heard', async () => {
  const node = await startNode()
  onTestFinished(async () => await node.stop())
  const publisherWith = (key: string): HttpBus => {
    const bus = new HttpBus({ listeners: async () => [node.url], key: async () => new Secret(key), log: silent })
    onTestFinished(async () => await bus.close())
    return bus
  }
  const heard = node.bus.subscribe({ node: 'erd1', signal: new AbortController().signal })[Symbol.asyncIterator]()
  await publisherWith('other').publish({ prefix: 'desired/', revision: 99 })
  await publisherWith('shared').publish({ prefix: 'request/', revision: 2 })
  expect((await heard.next()).value).toEqual({ prefix: 'request/', revision: 2 })
})

test('a node that comes back is told again', async () => {
  const first = await startNode()
  let { url } = first
  const publisher = new HttpBus({ listeners: async () => [url], key: async () => KEY, log: silent })
  onTestFinished(async () => await publisher.close())
  await first.stop()
  await publisher.publish({ prefix: 'desired/', revision: 1 })
  const second = await startNode()
  onTestFinished(async () => await second.stop())
  url = second.url
  const heard = second.bus.subscribe({ node: 'erd1', signal: new AbortController().signal })[Symbol.asyncIterator]()
  await publisher.publish({ prefix: 'desired/', revision: 2 })
  expect((await heard.next()).value).toEqual({ prefix: 'desired/', revision: 2 })
})
