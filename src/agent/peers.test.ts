import { expect, test } from 'vitest'
import { seeded } from '../../test/helpers/random.ts'
import { storeInstead } from '../../test/helpers/store-instead.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Peers } from './peers.ts'

async function text(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

class Setup {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock })
  readonly asked: string[] = []
  /** Which nodes have the blob. */
  readonly holders = new Set<string>()
  readonly peers: Peers
  down = false
  calls = 0

  constructor() {
    const guard = (): void => {
      this.calls += 1
      if (this.down) throw new FlotillaError('UNREACHABLE', 'nothing listens there')
    }
    this.peers = new Peers({
      node: 'erd1',
      store: storeInstead(this.store, {
        get: async (key) => {
          guard()
          return await this.store.get(key)
        },
        list: async (prefix) => {
          guard()
          return await this.store.list(prefix)
        },
      }),
      clock: this.clock,
      random: seeded(1),
      open: ({ node, url, key }) => ({
        name: `peer ${node}`,
        open: async () => {
          this.asked.push(node)
          if (!this.holders.has(node)) throw new FlotillaError('NOT_FOUND', 'not here')
          return (async function* () {
            yield Buffer.from(`${url} ${key.reveal()}`)
          })()
        },
      }),
    })
  }

  async put(key: string, value: string): Promise<void> {
    await this.store.commit({ changes: [{ op: 'put', key, value }] })
  }

  async node(name: string, peerUrl?: string): Promise<void> {
    const alive = { node: name, version: '1', instance: name, startedAtMs: 0, values: [], peerUrl }
    await this.put(`node/${name}/alive`, JSON.stringify(alive))
  }
}

test('a blob comes from another node that has it, with the key all share', async () => {
  const at = new Setup()
  await at.put('peer/key', 'k1')
  await at.node('erd1', 'http://erd1')
  await at.node('erd2', 'http://erd2')
  await at.node('erd3')
  at.holders.add('erd2')
  expect(await text(await at.peers.open('ab/cd'))).toBe('http://erd2 k1')
  expect(at.asked).toEqual(['erd2'])
})

test('of many nodes three are asked, and not always the same', async () => {
  const at = new Setup()
  await at.put('peer/key', 'k1')
  for (let node = 2; node < 50; node++) await at.node(`erd${node}`, `http://erd${node}`)
  await expect(at.peers.open('ab/cd')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(new Set(at.asked).size).toBe(3)
  const first = at.asked.splice(0)
  await expect(at.peers.open('ab/cd')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(at.asked).not.toEqual(first)
})

test('a node that says nonsense of itself does not keep others from being asked', async () => {
  const at = new Setup()
  await at.put('peer/key', 'k1')
  for (const [index, value] of ['', 'null', '5', '[]', '{"peerUrl":5}', '{"peerUrl":{}}', '"x"'].entries()) {
    await at.put(`node/a${index}/alive`, value)
  }
  await at.put('node/a9/alive/more', JSON.stringify({ peerUrl: 'http://erd2' }))
  await at.put('node/a9/target/datasets', 'broken')
  await at.node('erd2', 'http://erd2')
  at.holders.add('erd2')
  expect(await text(await at.peers.open('ab/cd'))).toBe('http://erd2 k1')
  expect(at.asked).toEqual(['erd2'])
})

test('an address that is none does not keep others from being asked', async () => {
  const store = new MemoryStore({ clock: new VirtualClock() })
  const alive = (peerUrl: string): string => JSON.stringify({ peerUrl })
  const put = (key: string, value: string) => ({ op: 'put', key, value }) as const
  await store.commit({
    changes: [put('peer/key', 'k'), put('node/a/alive', alive('file:///x')), put('node/b/alive', alive('http://b'))],
  })
  const asked: string[] = []
  const peers = new Peers({
    node: 'erd1',
    store,
    clock: new VirtualClock(),
    random: seeded(1),
    open: ({ node, url }) => {
      if (!url.startsWith('http')) throw new FlotillaError('USAGE', `"${url}" is neither http nor https`)
      return { name: node, open: async () => (asked.push(node), (async function* () {})()) }
    },
  })
  await peers.open('ab/cd')
  expect(asked).toEqual(['b'])
})

test('with nobody to ask it says so', async () => {
  const at = new Setup()
  await expect(at.peers.open('ab/cd')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('what the store said is used for a minute, and on while the store does not answer', async () => {
  const at = new Setup()
  await at.put('peer/key', 'k1')
  expect((await at.peers.key({}))?.reveal()).toBe('k1')
  await at.put('peer/key', 'k2')
  await at.clock.advance(59_000)
  expect((await at.peers.key({}))?.reveal()).toBe('k1')
  expect(at.calls).toBe(1)
  at.down = true
  await at.clock.advance(60_000)
  expect((await at.peers.key({}))?.reveal()).toBe('k1')
  at.down = false
  await at.clock.advance(5000)
  expect((await at.peers.key({}))?.reveal()).toBe('k2')
})

test('whoever knocks without a key being known makes no more than one question in five seconds', async () => {
  const at = new Setup()
  for (let knock = 0; knock < 100; knock++) {
    expect(await at.peers.key({})).toBeUndefined()
    await at.clock.advance(100)
  }
  expect(at.calls).toBe(2)
})
