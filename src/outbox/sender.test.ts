import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { FlotillaError } from '../core/errors.ts'
import { silent } from '../core/log.ts'
import { until } from '../../test/helpers/distributing.ts'
import { cut, type Faults, FaultyChild, hang, MemoryChild } from '../../test/helpers/push-child.ts'
import { MemoryGrowing } from '../../test/helpers/memory-growing.ts'
import { PushNode } from '../../test/helpers/push-node.ts'
import { MemoryReceiver } from '../../test/helpers/push-receiver.ts'
import { seeded } from '../../test/helpers/random.ts'
import { Throttle } from '../lib/throttle.ts'

const nodes: PushNode[] = []

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.stop()
    expect(node.files.opened).toBe(0)
  }
})

function setUp(faults: Faults = {}): {
  node: PushNode
  receiver: MemoryReceiver
  memory: MemoryChild
  child: FaultyChild
} {
  const node = new PushNode()
  const receiver = new MemoryReceiver()
  const memory = new MemoryChild(receiver)
  nodes.push(node)
  return { node, receiver, memory, child: new FaultyChild(memory, faults) }
}

const big = (letter: string, bytes = 1_500_000): string => letter.repeat(bytes)

function operationCalls(memory: MemoryChild): { keys: string[]; withContent: number }[] {
  return memory.calls
    .filter((call) => call.name === 'operations')
    .map(({ items }) => ({
      keys: items.map(({ operation }) => operation.key),
      withContent: items.filter(({ bytes }) => bytes !== undefined).length,
    }))
}

const MIB = 1024 * 1024

test('what is written and deleted arrives, small and large, and the cursor is at its end', async () => {
  const { node, receiver, child } = setUp()
  await node.put('gone', 'x')
  const { sender } = node.start(child)
  await node.put('a', 'small')
  await node.put('large', big('l'))
  await node.put('empty', '')
  await node.remove('gone')
  await until(() => sender.state === 'in-step', node)
  expect(receiver.files()).toEqual(node.contents())
  expect(receiver.held.get('gone')?.operation).toMatchObject({ gone: true })
  expect(node.ledger.child(child.url)).toEqual({ id: receiver.id, cursor: node.ledger.position })
})

test('after a restart it goes on where it was, and nothing is sent twice', async () => {
  const { node, receiver, child } = setUp()
  const first = node.start(child)
  await node.put('a', 'one')
  await until(() => first.sender.state === 'in-step', node)
  await first.stop()
  await node.put('b', 'two')
  node.restarted()
  receiver.contentBytes = 0
  const second = node.start(child)
  await until(() => second.sender.state === 'in-step', node)
  expect(receiver.contentBytes).toBe(3)
  expect(receiver.files()).toEqual(node.contents())
})

test('much to catch up is offered first: only what the child lacks travels', async () => {
  const { node, receiver, memory, child } = setUp()
  for (let index = 0; index < 600; index++) await node.put(`f${index}`, `content ${index}`)
  await node.put('large', big('l'))
  // The child was filled in another way before.
  const other = new PushNode(node.clock)
  nodes.push(other)
  const filled = other.start(new MemoryChild(receiver))
  for (let index = 0; index < 597; index++) await other.put(`f${index}`, `content ${index}`)
  await other.put('large', big('l'))
  await until(() => filled.sender.state === 'in-step', other)
  receiver.contentBytes = 0
  const { sender } = node.start(child)
  await until(() => sender.state === 'in-step', node)
  expect(receiver.contentBytes).toBe('content 597'.length * 3)
  expect(operationCalls(memory).every(({ keys }) => keys.length <= 256)).toBe(true)
  expect(receiver.files()).toEqual(node.contents())
})

test('a child with another ledger than before is a new one: everything is offered to it', async () => {
  const { node, receiver, child } = setUp()
  const { sender } = node.start(child)
  for (let index = 0; index < 10; index++) await node.put(`f${index}`, `content ${index}`)
  await until(() => sender.state === 'in-step', node)
  receiver.lose()
  // Found without anything being written.
  await until(() => receiver.files().size === 10, node)
  expect(receiver.files()).toEqual(node.contents())
  expect(node.ledger.child(child.url)?.id).toBe(receiver.id)
})

test('a large body that breaks off goes on where it was', async () => {
  let cuts = 2
  const { node, receiver, child } = setUp({
    chunk: (chunk, at) => {
      if (at > cuts * 500_000 && cuts > 0) {
        cuts--
        cut()
      }
      return chunk
    },
  })
  cuts = 2
  const { sender } = node.start(child)
  await node.put('large', big('l', 4_000_000))
  await until(() => sender.state === 'in-step', node)
  expect(cuts).toBe(0)
  // What was on its way at the cuts is all that came twice.
  expect(receiver.contentBytes).toBeLessThan(4_000_000 + 2 * 200_000)
  expect(receiver.files()).toEqual(node.contents())
})

test('one bad operation never blocks the rest: it is set aside with its error, and tried again', async () => {
  const { node, receiver, child } = setUp()
  receiver.refuses = (key) =>
    key.startsWith('bad') ? { result: 'failed', code: 'BAD_REQUEST', message: 'a folder is there' } : undefined
  const { sender } = node.start(child)
  await node.put('bad-small', 'x')
  await node.put('bad-large', big('x'))
  for (let index = 0; index < 50; index++) await node.put(`f${index}`, `content ${index}`)
  await until(() => receiver.files().size === 50, node)
  const stuck = node.ledger.stuck(child.url, { after: '', limit: 9 })
  expect(stuck.map(({ key }) => key)).toEqual(['bad-large', 'bad-small'])
  expect(stuck[1]?.error).toBe('BAD_REQUEST: a folder is there')
  expect(sender.arrival('bad-small', 1)).toMatchObject({ state: 'failed' })
  expect(sender.cursor).toBe(node.ledger.position)
  await until(() => (sender.stuck.get('bad-small')?.attempts ?? 0) > 2, node)
  receiver.refuses = () => undefined
  await until(() => receiver.files().size === 52, node, 1000)
  expect(node.ledger.stuck(child.url, { after: '', limit: 9 })).toEqual([])
})

test('what is set aside survives a restart', async () => {
  const { node, receiver, child } = setUp()
  receiver.refuses = () => ({ result: 'failed', code: 'DISK_FULL', message: 'full' })
  const first = node.start(child)
  await node.put('a', 'x')
  await until(() => first.sender.stuck.size === 1, node)
  await first.stop()
  receiver.refuses = () => undefined
  node.restarted()
  const second = node.start(child)
  expect(second.sender.stuck.get('a')?.error).toBe('DISK_FULL: full')
  await until(() => receiver.files().size === 1, node)
  expect(second.sender.stuck.size).toBe(0)
})

test('an operation with which a batch is refused as a whole is found by halving', async () => {
  const { node, receiver, child } = setUp({
    before: (call) => {
      if (call.name !== 'operations' || !call.items.some(({ operation }) => operation.key === 'f77')) return
      throw new FlotillaError('BAD_REQUEST', 'no such key')
    },
  })
  for (let index = 0; index < 200; index++) await node.put(`f${index}`, `content ${index}`)
  const { sender } = node.start(child)
  await until(() => receiver.files().size === 199, node)
  await until(() => sender.stuck.size === 1, node)
  expect(sender.stuck.get('f77')?.error).toBe('BAD_REQUEST: no such key')
})

test('an operation at which the child breaks down each time is found, and set aside', async () => {
  const { node, receiver, child } = setUp({
    before: (call) => {
      if (call.name === 'operations' && call.items.some(({ operation }) => operation.key === 'f7')) cut()
      if (call.name === 'body' && call.body.key === 'large-bad') cut()
    },
  })
  for (let index = 0; index < 20; index++) await node.put(`f${index}`, `content ${index}`)
  await node.put('large-bad', big('b'))
  await node.put('large-good', big('g'))
  const { sender } = node.start(child)
  await until(() => receiver.files().size === 20, node)
  await until(() => sender.stuck.size === 2, node)
  expect(sender.cursor).toBe(node.ledger.position)
})

test('a newer row replaces one that was not sent yet, and a file that is another one than its row is not sent as it', async () => {
  const { node, receiver, memory, child } = setUp()
  await node.put('a', 'recorded')
  // Copied over, and not recorded yet.
  node.tree.put('a', 'copied over it')
  const { sender } = node.start(child)
  await until(() => sender.stuck.size === 1, node)
  expect(receiver.held.size).toBe(0)
  expect(sender.stuck.get('a')?.error).toContain('CHANGED')
  await node.put('a', 'the newest')
  await until(() => receiver.files().get('a') === 'the newest' && sender.stuck.size === 0, node)
  expect(operationCalls(memory).flatMap(({ withContent }) => (withContent > 0 ? [withContent] : []))).toEqual([1])
})

test('a row that is replaced while it waits for its turn is not sent, and its key goes on with the newer one', async () => {
  let isSlow = false
  const { node, receiver, child } = setUp({
    before: async (call, signal) => (isSlow && call.name === 'operations' ? node.clock.sleep(1000, signal) : undefined),
  })
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  isSlow = true
  for (const key of ['first', 'second', 'third', 'fourth', 'k']) {
    await node.put(key, 'old')
    await node.clock.advance(1)
  }
  await node.put('k', 'newest')
  await until(() => sender.state === 'in-step', node)
  expect(receiver.files()).toEqual(node.contents())
  expect(receiver.contentBytes).toBe('old'.length * 4 + 'newest'.length)
})

test('a file that was removed from the folder is reported, not sent again and again; a child that has it is content', async () => {
  const { node, receiver, memory, child } = setUp()
  const operation = await node.put('kept', 'kept')
  await node.put('lost', 'lost')
  await node.put('lost-large', big('z'))
  receiver.held.set('kept', {
    operation: { ...operation, version: { epoch: 0, sequence: 1 } },
    bytes: Buffer.from('kept'),
  })
  for (const key of ['kept', 'lost', 'lost-large']) node.tree.delete(key)
  const { sender } = node.start(child)
  await until(() => sender.stuck.size === 2, node)
  expect(sender.stuck.get('lost')?.error).toContain('NOT_FOUND')
  const calls = operationCalls(memory).length
  await node.clock.advance(60_000)
  expect(operationCalls(memory).length - calls).toBeLessThan(15)
  expect(sender.arrival('kept', 1)).toEqual({ state: 'reached' })
})

test('a key is never under way twice at once, and its last operation wins', async () => {
  const held = new Set<() => void>()
  const { node, receiver, child } = setUp({
    before: async (call) => {
      if (call.name === 'operations' || call.name === 'body') await new Promise<void>((resolve) => held.add(resolve))
    },
  })
  const { sender } = node.start(child)
  for (let round = 0; round < 30; round++) {
    if (round % 7 === 6) await node.remove('k')
    else await node.put('k', round % 3 === 0 ? big(String(round % 10)) : `round ${round}`)
    await setImmediate()
    if (round % 4 === 0) for (const go of held) go()
  }
  await until(() => {
    for (const go of held) go()
    return sender.state === 'in-step'
  }, node)
  expect(receiver.together).toEqual(new Set())
  expect(receiver.files()).toEqual(node.contents())
})

test('a body is followed while it is written: the child has it when the writer is through, and it is not sent again', async () => {
  const { node, receiver, memory, child } = setUp()
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  const growing = new MemoryGrowing()
  const outcome = Promise.withResolvers<Awaited<ReturnType<PushNode['put']>> | undefined>()
  expect(sender.follow(growing.behind('live'), outcome.promise)).toBe(true)
  growing.add(Buffer.from(big('a')))
  await until(() => receiver.contentBytes === 1_500_000, node)
  growing.add(Buffer.from('end'))
  growing.end('whole')
  outcome.resolve(await node.put('live', `${big('a')}end`))
  await until(() => sender.state === 'in-step', node)
  expect(receiver.contentBytes).toBe(1_500_003)
  expect(receiver.files()).toEqual(node.contents())
  expect(memory.calls.filter(({ name }) => name === 'operations')).toEqual([])
  expect(growing.readers).toBe(0)
})

test('a body that comes to nothing is called off at the child', async () => {
  const { node, receiver, child } = setUp()
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  const growing = new MemoryGrowing()
  sender.follow(growing.behind('live'), Promise.resolve(undefined))
  growing.add(Buffer.from(big('a')))
  await until(() => receiver.parts.size === 1, node)
  growing.end('failed')
  await until(() => growing.readers === 0, node)
  expect(receiver.parts.size).toBe(0)
  expect(receiver.held.size).toBe(0)
})

test('at most four bodies are followed at once, none while the child is behind', async () => {
  const { node, child } = setUp({
    before: async (call, signal) => {
      if (call.name === 'operations') await hang(signal)
    },
  })
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  const growing = Array.from({ length: 6 }, () => new MemoryGrowing())
  const taken = growing.map((one, index) => {
    const reader = one.behind(`live${index}`)
    const isTaken = sender.follow(reader, Promise.resolve(undefined))
    if (!isTaken) reader.release()
    return isTaken
  })
  expect(taken).toEqual([true, true, true, true, false, false])
  await node.stop()
  expect(growing.map(({ readers }) => readers)).toEqual([0, 0, 0, 0, 0, 0])
  await node.put('missed', 'x')
  const late = node.start(child)
  await until(() => late.sender.state === 'sending', node)
  const reader = growing[0]!.behind('live')
  expect(late.sender.follow(reader, Promise.resolve(undefined))).toBe(false)
  reader.release()
})

test('a follower that breaks off leaves its part, and the row goes on with it', async () => {
  let isCut = true
  const { node, receiver, child } = setUp({
    chunk: (chunk, at) => {
      if (isCut && at > 1_000_000) {
        isCut = false
        cut()
      }
      return chunk
    },
  })
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  const growing = new MemoryGrowing()
  const outcome = Promise.withResolvers<Awaited<ReturnType<PushNode['put']>> | undefined>()
  sender.follow(growing.behind('live'), outcome.promise)
  growing.add(Buffer.from(big('a', 3_000_000)))
  await until(() => growing.readers === 0, node)
  growing.end('whole')
  outcome.resolve(await node.put('live', big('a', 3_000_000)))
  await until(() => sender.state === 'in-step' && receiver.files().size === 1, node)
  expect(receiver.contentBytes).toBeLessThan(3_300_000)
})

test('a child that does not answer is left alone longer and longer, and a hung one does not delay another', async () => {
  let hellos = 0
  const { node, receiver, memory } = setUp()
  const dead = node.start(
    new FaultyChild(new MemoryChild(receiver, 'http://dead:1'), {
      before: () => {
        hellos++
        cut()
      },
    }),
  )
  const hung = node.start(
    new FaultyChild(new MemoryChild(receiver, 'http://hung:1'), { before: async (_, signal) => hang(signal) }),
  )
  const good = node.start(memory)
  await node.put('a', 'x')
  await until(() => good.sender.state === 'in-step', node)
  expect(receiver.files()).toEqual(node.contents())
  await node.clock.advance(10 * 60_000)
  expect(dead.sender.state).toBe('unreachable')
  expect(hung.sender.state).toBe('waiting')
  // A child that is back is found within ten seconds.
  expect(hellos).toBeGreaterThan(90)
  expect(hellos).toBeLessThan(170)
})

test('a child that refuses is told as that', async () => {
  const { node, child } = setUp({
    before: () => {
      throw new FlotillaError('FED_BY_ANOTHER', 'the root is http://other')
    },
  })
  const { sender } = node.start(child)
  await until(() => sender.state === 'refused', node)
  expect(sender.error).toBe('FED_BY_ANOTHER: the root is http://other')
})

test('each reason for which a child refuses is logged once, with what to do; that it stays away is no news', async () => {
  let refusal = new FlotillaError('FED_BY_ANOTHER', 'other feeds it', { hint: 'wait' })
  const { node, child } = setUp({
    before: () => {
      throw refusal
    },
  })
  const warnings: unknown[] = []
  const log = { ...silent, warn: (_: string, fields?: object) => void warnings.push(fields) }
  const { sender } = node.start(child, { log })
  await until(() => sender.state === 'refused', node)
  await node.clock.advance(10 * 60_000)
  refusal = new FlotillaError('FED_BY_ANOTHER', 'it is older', { hint: 'begin anew' })
  await until(() => warnings.length > 1, node, 10_000)
  refusal = new FlotillaError('UNREACHABLE', 'nothing listens there')
  await until(() => sender.state === 'unreachable', node, 10_000)
  expect(warnings).toMatchObject([
    { error: 'other feeds it', hint: 'wait' },
    { error: 'it is older', hint: 'begin anew' },
  ])
})

test('what is to be caught up is throttled, what is recorded now is not', async () => {
  const { node, receiver, child } = setUp()
  const throttle = new Throttle(node.clock, { at: () => 1_000_000 })
  for (let index = 0; index < 10; index++) await node.put(`old${index}`, big('o', 500_000))
  await node.put('old-large', big('O', 5_000_000))
  const { sender } = node.start(child, { throttle })
  await until(() => sender.state === 'sending', node)
  await node.put('new', big('n', 900_000))
  await node.put('new-large', big('N', 3_000_000))
  await until(() => receiver.files().has('new') && receiver.files().has('new-large'), node, 1)
  expect(node.clock.monotonicMs()).toBeLessThan(1000)
  await until(() => sender.state === 'in-step', node)
  expect(node.clock.monotonicMs()).toBeGreaterThan(9000)
  expect(node.clock.monotonicMs()).toBeLessThan(12_000)
})

test('memory is bounded: few batches of few bytes, few bodies, and rows only as far ahead as there is room', async () => {
  let now = { batches: 0, bytes: 0, bodies: 0 }
  const most = { batches: 0, bytes: 0, bodies: 0 }
  const { node, receiver, child } = setUp({
    before: async (call, signal) => {
      const bytes =
        call.name === 'operations' ? call.items.reduce((sum, one) => sum + (one.bytes?.byteLength ?? 0), 0) : 0
      const add = (sign: 1 | -1): void => {
        now = {
          batches: now.batches + (call.name === 'operations' ? sign : 0),
          bytes: now.bytes + sign * bytes,
          bodies: now.bodies + (call.name === 'body' ? sign : 0),
        }
        for (const name of ['batches', 'bytes', 'bodies'] as const) most[name] = Math.max(most[name], now[name])
      }
      add(1)
      await node.clock.sleep(50, signal)
      add(-1)
    },
  })
  let furthest = 0
  const after = node.ledger.after.bind(node.ledger)
  node.ledger.after = (position, limit) => {
    const rows = after(position, limit)
    if (receiver.held.size === 0 && rows.length > 0) furthest = Math.max(furthest, rows.at(-1)!.position)
    return rows
  }
  for (let index = 0; index < 6000; index++) await node.put(`f${index}`, 'x')
  for (let index = 0; index < 12; index++) await node.put(`mid${index}`, big('m', 900_000))
  for (let index = 0; index < 6; index++) await node.put(`large${index}`, big('L'))
  const { sender } = node.start(child)
  await until(() => sender.state === 'in-step', node, 10)
  expect(receiver.files().size).toBe(6018)
  expect(furthest).toBeLessThan(4096 + 2 * 256 + 1)
  expect(most).toMatchObject({ batches: 4, bodies: 2 })
  expect(most.bytes).toBeLessThanOrEqual(4 * 1024 * 1024)
})

test('who falls more than 256 MiB behind has to catch up again, throttled', async () => {
  const setting = await behindABody()
  for (const key of ['b', 'c', 'd']) {
    await setting.record(key, 100 * MIB)
    expect(setting.sender.isFollowing).toBe(key !== 'd')
  }
  setting.goOn()
})

test('one file, however large, is no reason to be throttled: it is what follows it that counts', async () => {
  const setting = await behindABody()
  await setting.record('huge', 20 * 1024 * MIB)
  expect(setting.sender.isFollowing).toBe(true)
  await setting.record('b', 100 * MIB)
  expect(setting.sender.isFollowing).toBe(true)
  await setting.record('c', 100 * MIB)
  expect(setting.sender.isFollowing).toBe(false)
  setting.goOn()
})

/** A child that is in step, and takes no body until it goes on. */
async function behindABody() {
  let isHung = true
  const { node, child } = setUp({
    before: async (call, signal) => (isHung && call.name === 'partBytes' ? hang(signal) : undefined),
  })
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  const { sha256, etag } = await node.put('a', 'x')
  await until(() => sender.state === 'in-step', node)
  const record = async (key: string, size: number): Promise<void> => {
    const known = { sha256, etag, modifiedMs: 1, version: node.ledger.next() }
    node.tree.put(key, 'x')
    await node.ledger.record({ key, size, ...known })
    // As if it were as large as that: what is sent of it is not what this is about.
    const open = node.files.open.bind(node.files)
    node.files.open = async (wanted, op) => {
      const file = await open(wanted, op)
      if (wanted !== key || file === undefined) return file
      return { ...file, entry: { ...file.entry, size, etag } }
    }
    node.poke()
    await node.clock.advance(1500)
  }
  return { sender, record, goOn: () => void (isHung = false) }
}

test('a follower that is further behind the writer than it may be gets the file later, from its row', async () => {
  const { node, child } = setUp()
  const { sender } = node.start(child)
  await until(() => sender.isFollowing, node)
  const growing = new MemoryGrowing()
  const far = growing.behind('live')
  Object.defineProperty(far, 'written', { get: () => 257 * 1024 * 1024 })
  sender.follow(far, Promise.resolve(undefined))
  await until(() => growing.readers === 0, node)
  expect(sender.isFollowing).toBe(true)
})

test('a part that turns out to be spoilt is sent again from the start', async () => {
  const { node, receiver, child } = setUp()
  await node.put('large', big('l', 2_000_000))
  const spoilt = receiver.partBytes.bind(receiver)
  let isFirst = true
  receiver.partBytes = async (id) => {
    if (isFirst) receiver.parts.set(id, Buffer.alloc(500_000, 'X'))
    isFirst = false
    return await spoilt(id)
  }
  // It is kept although it is not what it should be.
  const body = receiver.body.bind(receiver)
  receiver.body = async (incoming) => {
    const outcome = await body(incoming)
    if (outcome.result === 'failed') receiver.parts.set(incoming.id, Buffer.alloc(500_000, 'X'))
    return outcome
  }
  const { sender } = node.start(child)
  await until(() => sender.state === 'in-step' && sender.stuck.size === 0, node)
  expect(receiver.files()).toEqual(node.contents())
})

test('a file that nobody has hashed yet is hashed as it is sent, also where it goes on from a part, and the ledger learns it', async () => {
  const { node, receiver, child } = setUp()
  for (const [key, content] of [
    ['small', 'abc'],
    ['large', big('l', 2_000_000)],
  ] as const) {
    const { sha256: _, ...found } = await node.put(key, content)
    await node.ledger.record({ ...found, version: node.ledger.next() })
  }
  const partBytes = receiver.partBytes.bind(receiver)
  receiver.partBytes = async (id) => {
    receiver.parts.set(id, Buffer.alloc(700_000, 'l'))
    return await partBytes(id)
  }
  const { sender } = node.start(child)
  await until(() => sender.state === 'in-step', node)
  expect(receiver.files()).toEqual(node.contents())
  expect(receiver.contentBytes).toBe(1_300_003)
  for (const key of ['small', 'large']) expect(node.ledger.get(key)).toHaveProperty('sha256')
})

test('an answer that is no answer is not believed', async () => {
  let bad = 3
  const { node, receiver, child } = setUp({
    after: (call) => {
      if (call.name === 'operations' && bad-- > 0) throw new FlotillaError('UNREACHABLE', 'garbage')
    },
  })
  const { sender } = node.start(child)
  await node.put('a', 'x')
  await until(() => sender.state === 'in-step' && sender.stuck.size === 0, node)
  expect(receiver.files()).toEqual(node.contents())
})

test('whatever happens on the way, the child ends with the same files', async () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd/e', 'f')
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), key, size: fc.constantFrom(0, 3, 1000, 1_100_000) }),
    fc.record({ do: fc.constant('remove' as const), key }),
    fc.record({ do: fc.constantFrom('restart' as const, 'lose' as const) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer({ min: 0, max: 1e9 }), async (steps, seed) => {
      const random = seeded(seed)
      let isCalm = false
      const trouble = (share: number): boolean => !isCalm && random() < share
      const { node, receiver, child } = setUp({
        before: async (_, signal) => {
          if (trouble(0.15)) cut()
          if (trouble(0.1)) await node.clock.sleep(random() * 2000, signal)
        },
        after: () => {
          if (trouble(0.15)) cut()
        },
        chunk: (chunk) => (trouble(0.1) ? cut() : chunk),
      })
      let running = node.start(child)
      for (const [index, one] of steps.entries()) {
        if (one.do === 'put') await node.put(one.key, String(index % 10).repeat(one.size))
        else if (one.do === 'remove') await node.remove(one.key)
        else if (one.do === 'wait') await node.clock.advance(one.ms)
        else if (one.do === 'lose') receiver.lose()
        else {
          await running.stop()
          node.restarted()
          running = node.start(child)
        }
      }
      isCalm = true
      await node.clock.advance(31_000)
      await until(() => running.sender.state === 'in-step' && running.sender.stuck.size === 0, node, 1000)
      expect(receiver.files()).toEqual(node.contents())
      expect(receiver.together).toEqual(new Set())
      await node.stop()
    }),
    { numRuns: 40 },
  )
})
