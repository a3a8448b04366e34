import { afterEach, beforeEach, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { openTcpProxy, type TcpProxy } from '../../test/helpers/tcp-proxy.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { systemClock } from '../lib/system-clock.ts'
import { answered, LOST } from './answered.ts'
import { CoordinationClient } from './coordination-client.ts'
import { ProfilesClient } from './profiles-client.ts'

let hub: TestHub
let wire: TcpProxy
let clients: { readonly coordination: CoordinationClient; readonly profiles: ProfilesClient }

beforeEach(async () => {
  hub = await openTestHub()
  wire = await openTcpProxy(hub.url)
  const options = { url: wire.url, token: hub.admin, clock: systemClock }
  clients = { coordination: new CoordinationClient(options), profiles: new ProfilesClient(options) }
})
afterEach(async () => {
  clients.coordination.close()
  clients.profiles.close()
  await wire.close()
  await hub.close()
})

/** Lets the request through, loses its answer with the connection, and lets everything pass from then on. */
async function losing<T>(ask: () => Promise<T>): Promise<T> {
  const before = (await hub.store.list('')).revision
  wire.muteServer()
  const answer = ask()
  await expect.poll(async () => (await hub.store.list('')).revision).toBeGreaterThan(before)
  wire.cut()
  wire.heal()
  return await answer
}

it('contending is done once, although its answer was lost', async () => {
  const { coordination } = clients
  for (const kind of ['elect', 'lock'] as const) {
    const answer = await losing(() => coordination.contend(kind, 'main', { who: 'a', ttlMs: 20_000 }))
    expect(answer).toMatchObject({ who: 'a', holds: true, lease: expect.any(String) as string })
    const { holders, waiting } = await coordination.line(kind, 'main')
    expect(holders).toMatchObject([{ who: 'a', revision: answer.revision }])
    expect(waiting).toEqual([])
    await coordination.renew(answer.lease ?? '')
  }
})

it('arriving is done once, although its answer was lost: nobody is counted twice, or in the next generation', async () => {
  const { coordination } = clients
  const first = await losing(() => coordination.arrive('gate', { who: 'a', parties: 2, ttlMs: 20_000 }))
  expect(first).toMatchObject({ generation: 1, passed: false, arrived: ['a'] })
  const last = await losing(() => coordination.arrive('gate', { who: 'b', parties: 2, ttlMs: 20_000 }))
  expect(last).toMatchObject({ generation: 1, passed: true })
  expect(await coordination.barrier('gate', {})).toMatchObject({ generation: 2, arrived: [] })
})

it('counting, and putting on a list, is done once, although the answer was lost', async () => {
  const { profiles } = clients
  const profile = 'p'
  await profiles.change({ op: 'create', profile })
  for (const value of [1, 2, 3]) {
    expect(await losing(() => profiles.change({ op: 'increment', profile, param: 'n' }))).toMatchObject({ value })
  }
  const append = { op: 'append', profile, param: 'list', value: 'x' } as const
  expect(await losing(() => profiles.change(append))).toMatchObject({ changed: true, value: ['x'] })
  expect((await profiles.get(profile)).params).toEqual({ n: 3, list: ['x'] })
})

it('an Idempotency-Key does for contending and arriving what a session does', async () => {
  const ask = async (path: string, json: object, key: string) => {
    const { status, text } = await hub.ask('POST', path, {
      token: hub.admin,
      json,
      headers: { 'idempotency-key': key },
    })
    return { status, ...(JSON.parse(text) as { revision?: number; generation?: number; code?: string }) }
  }
  for (const path of ['/v1/elections/main/campaign', '/v1/locks/main/acquire']) {
    const json = { who: 'a', ttlMs: 20_000 }
    const first = await ask(path, json, 'k1')
    expect(first.status).toBe(200)
    expect((await ask(path, json, 'k1')).revision).toBe(first.revision)
    expect((await ask(path, json, 'k2')).status).toBe(409)
    expect((await ask(path, json, 'ü')).status).toBe(400)
  }
  const json = { who: 'a', ttlMs: 20_000, parties: 1 }
  const path = '/v1/barriers/gate/arrive'
  expect([await ask(path, json, 'k1'), await ask(path, json, 'k1')].map(({ generation }) => generation)).toEqual([1, 1])
  expect((await ask(path, json, 'k2')).generation).toBe(2)
})

it('is asked for again also where nothing came for as long as a client waits', async () => {
  const clock = new VirtualClock()
  let count = 0
  const ask = async (): Promise<string> => {
    count += 1
    if (count === 2) return 'told'
    await clock.sleep(15_000)
    throw new FlotillaError('UNREACHABLE', 'no answer for 15 s', { hint: LOST })
  }
  const told = answered(clock, ask)
  await clock.advance(15_000)
  await clock.advance(1000)
  expect(await told).toBe('told')
})

it('stays lost when the hub is not there any more in the end', async () => {
  const clock = new VirtualClock()
  let count = 0
  const ask = (): Promise<string> => {
    count += 1
    return Promise.reject(new FlotillaError('UNREACHABLE', 'gone', count === 1 ? { hint: LOST } : {}))
  }
  const told = answered(clock, ask).catch((error: unknown) => error)
  await clock.advance(20_000)
  expect(await told).toMatchObject({ details: { hint: LOST } })
})
