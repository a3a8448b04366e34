import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../../test/helpers/hub.ts'
import { storeInstead } from '../../../test/helpers/store-instead.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { drpFace } from './face.ts'

/* What goes wrong on Digital Rebar's own server when several machines do the same thing, in the requests that its client makes. */

const SOAK = process.env['FLOTILLA_SOAK'] === '1'
const ROUNDS = SOAK ? 60 : 12
const CONTENDERS = 16

let hub: TestHub
/** Once, what happens between a commit and its answer. */
let afterCommit: (() => Promise<void>) | undefined
const memory = new MemoryStore({ clock: systemClock })
const store = storeInstead(memory, {
  commit: async (txn, op) => {
    const done = await memory.commit(txn, op)
    const after = afterCommit
    afterCommit = undefined
    await after?.()
    return done
  },
})
let name = ''

beforeAll(async () => {
  hub = await openTestHub({ store, faces: [drpFace()] })
})
afterAll(async () => {
  await hub.close()
  await store.close()
})
beforeEach(() => {
  name = `p-${randomUUID()}`
})

const ask = async (method: string, path: string, json?: unknown) =>
  hub.ask(method, `/api/v3${path}`, { token: hub.admin, ...(json !== undefined && { json }) })
const create = async (params: object): Promise<void> => {
  expect((await ask('POST', '/profiles', { Name: name, Params: params })).status).toBe(201)
}
const params = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await ask('GET', `/profiles/${name}/params`)).text) as Record<string, unknown>
const op = (kind: string, path: string, value: unknown = null) => ({ op: kind, path, from: '', value })
const patch = async (...ops: readonly object[]): Promise<number> =>
  (await ask('PATCH', `/profiles/${name}/params`, ops)).status
const all = <T>(count: number, work: (n: number) => Promise<T>): Promise<readonly T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))
const wins = (statuses: readonly number[]): number => statuses.filter((status) => status === 200).length

/** What `drpcli profiles add` does: looks at the map, then adds where all of it is as it was. */
async function add(key: string, value: unknown): Promise<number> {
  const seen = await params()
  return Object.hasOwn(seen, key) ? 1 : patch(op('test', '', seen), op('add', `/${key}`, value))
}

describe(`in each of ${ROUNDS} rounds of ${CONTENDERS} contenders`, () => {
  it('one adds a param, and nobody else (W1)', async () => {
    await create({})
    for (let round = 0; round < ROUNDS; round++) {
      const key = `leader${round}`
      const statuses = await all(CONTENDERS, (n) => add(key, `m${n}`))
      expect(wins(statuses)).toBe(1)
      expect((await params())[key]).toBe(`m${statuses.indexOf(200)}`)
    }
  })

  it('what one key guards in another is written by one (W2)', async () => {
    await create({ epoch: 0, data: 'none' })
    for (let round = 0; round < ROUNDS; round++) {
      const statuses = await all(CONTENDERS, (n) =>
        n % 2 === 0
          ? patch(op('test', '/epoch', round), op('replace', '/data', `m${n}`), op('replace', '/epoch', round + 1))
          : patch(op('test', '/epoch', round), op('replace', '/epoch', round + 1), op('replace', '/data', `m${n}`)),
      )
      expect(wins(statuses)).toBe(1)
      expect(await params()).toEqual({ epoch: round + 1, data: `m${statuses.indexOf(200)}` })
    }
  })

  it('a guard that others have made untrue lets nobody write what it guards (W2)', async () => {
    await create({ epoch: 0, data: 'none' })
    for (let round = 0; round < ROUNDS; round++) {
      const [moved, written] = await Promise.all([
        patch(op('test', '/data', `d${round - 1}`.replace('d-1', 'none')), op('replace', '/epoch', round + 1)),
        patch(op('test', '/epoch', round), op('replace', '/data', `d${round}`)),
      ])
      expect([moved, written].toSorted((a, b) => a - b)).toEqual([200, 409])
      await ask('POST', `/profiles/${name}/params`, { epoch: round + 1, data: `d${round}` })
    }
  })

  it('one adds a param while others write other ones all the time (W3)', async () => {
    await create({})
    for (let round = 0; round < ROUNDS; round++) {
      const seen = await params()
      const contending = all(CONTENDERS, (n) => patch(op('test', '', seen), op('add', `/leader${round}`, `m${n}`)))
      const writing = all(
        CONTENDERS,
        async (n) => (await ask('POST', `/profiles/${name}/params/other${n}`, round)).status,
      )
      expect(wins(await contending)).toBe(1)
      expect(wins(await writing)).toBe(CONTENDERS)
      // Nor does it matter what was written between the look and the attempt.
      expect(await patch(op('test', '', seen), op('add', `/late${round}`, 1))).toBe(200)
      expect(await patch(op('test', '', seen), op('add', `/late${round}`, 2))).toBe(409)
    }
  })

  it('plain sets all succeed, and none is lost (W4)', async () => {
    await create({})
    for (let round = 0; round < ROUNDS; round++) {
      const statuses = await all(CONTENDERS, async (n) => {
        return (await ask('POST', `/profiles/${name}/params/k${n}`, { round })).status
      })
      expect(wins(statuses)).toBe(CONTENDERS)
    }
    expect(await params()).toEqual(
      Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`k${n}`, { round: ROUNDS - 1 }])),
    )
  })
})

it('a whole map as reference guards everything but an addition alone', async () => {
  await create({ a: 1 })
  const seen = await params()
  await ask('POST', `/profiles/${name}/params/b`, 2)
  expect(await patch(op('test', '', seen), op('add', '/c', 1), op('add', '/d', 1))).toBe(409)
  expect(await patch(op('test', '', seen), op('replace', '/a', 2))).toBe(409)
  expect(await params()).toEqual({ a: 1, b: 2 })
})

describe('the client tries again after its connection broke (W5)', () => {
  const claim = [op('test', '/leader', 'none'), op('replace', '/leader', 'me')]

  const connections = (): Promise<number> =>
    new Promise((resolve) => {
      hub.hub.app.server.getConnections((_error, count) => resolve(count))
    })

  /** A PATCH whose connection breaks when it is done and before its answer is out. */
  async function sendAndBreak(): Promise<void> {
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>()
    const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>()
    const before = await connections()
    afterCommit = async () => {
      done()
      await mayAnswer
    }
    const { hostname, port } = new URL(hub.url)
    const body = JSON.stringify(claim)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    socket.write(
      `PATCH /api/v3/profiles/${name}/params HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n` +
        `authorization: Bearer ${hub.admin.reveal()}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await isDone
    expect(await connections()).toBe(before + 1)
    socket.resetAndDestroy()
    await expect.poll(connections).toBe(before)
    answer()
  }

  it('and is told once that it won, and nobody else is', async () => {
    await create({ leader: 'none' })
    await sendAndBreak()
    const statuses = await all(4, () => patch(...claim))
    expect(wins(statuses)).toBe(1)
    expect(await params()).toEqual({ leader: 'me' })
  })

  it('and is not told so where somebody has changed it since', async () => {
    await create({ leader: 'none' })
    await sendAndBreak()
    await ask('POST', `/profiles/${name}/params/leader`, 'other')
    expect(await patch(...claim)).toBe(409)
  })

  it('and is told the first answer for sure with a token of its own, -t LEVEL -Z TOKEN', async () => {
    await create({ leader: 'none' })
    const traced = (token: string) =>
      hub.ask('PATCH', `/api/v3/profiles/${name}/params`, {
        token: hub.admin,
        json: claim,
        headers: { 'x-log-request': 'info', 'x-log-token': token },
      })
    expect((await traced('try-1')).status).toBe(200)
    expect([(await traced('try-1')).status, (await traced('try-2')).status]).toEqual([200, 409])
  })

  it('where somebody else with the same words asks, they lose', async () => {
    await create({ leader: 'none' })
    expect(wins(await all(CONTENDERS, () => patch(...claim)))).toBe(1)
  })
})
