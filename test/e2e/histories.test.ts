import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { type EtcdCluster, startEtcd } from '../helpers/etcd.ts'
import { HttpHistory } from '../helpers/http-history.ts'
import { HubProcess } from '../helpers/hub-process.ts'
import { isLinearizable } from '../helpers/linearizable.ts'
import { FAKETIME, needs } from '../helpers/needs.ts'
import { seeded } from '../helpers/random.ts'
import { openTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { versioned } from '../helpers/versioned.ts'

/** What clients of real hubs are told while hubs, etcd and the network fail could have happened one at a time. */
const IS_SOAK = process.env['FLOTILLA_SOAK'] === '1'
const ROUNDS = IS_SOAK ? 8 : 1
/** Operations answered after each fault. */
const MORE = IS_SOAK ? 150 : 24
const STOPPED_MS = IS_SOAK ? 9000 : 1500
const PATIENCE_MS = IS_SOAK ? 3000 : 1000
const LONG = IS_SOAK ? 3_600_000 : 120_000

const test = await needs({ tools: ['etcd', 'faketime'] })

let folder: string
const closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-histories-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

async function startHub(name: string, store?: string): Promise<HubProcess> {
  const hub = await HubProcess.start({ folder, name, store, faketime: FAKETIME })
  closing.push(() => hub.kill())
  return hub
}

async function wireTo(hub: HubProcess): Promise<TcpProxy> {
  const wire = await openTcpProxy(hub.url)
  closing.push(() => wire.close())
  return wire
}

/** A fault, and how it is over. */
type Fault = () => Promise<unknown>

/** Lets clients work through every fault in turn, and checks what each thing that they share went through. */
async function check(hub: HubProcess, urls: readonly string[], faults: readonly Fault[]): Promise<void> {
  let lost = 0
  // Each round has things of its own: what has to be tried to check one grows with what was lost in it.
  for (let round = 0; round < ROUNDS; round++) lost += await checkRound(round, hub, urls, faults)
  // Faults that nobody notices prove nothing.
  expect(lost).toBeGreaterThan(0)
}

/** Answers how many answers were lost. */
async function checkRound(
  round: number,
  hub: HubProcess,
  urls: readonly string[],
  faults: readonly Fault[],
): Promise<number> {
  const profiles = ['a', 'b', 'c'].map((name) => `${name}${round}`)
  const rawKeys = ['x/a', 'x/b'].map((key) => `${key}${round}`)
  const headers = { authorization: `Bearer ${hub.token}`, 'content-type': 'application/json' }
  const starts = new Map<string, { readonly value: object; readonly revision: number }>()
  for (const name of profiles) {
    const body = JSON.stringify({ name })
    const made = await fetch(`${hub.url}/v1/profiles`, { method: 'POST', headers, body })
    starts.set(name, { value: {}, revision: ((await made.json()) as { revision: number }).revision })
  }
  for (const key of rawKeys) starts.set(key, { value: { value: null }, revision: 0 })
  const history = new HttpHistory(
    { urls, token: hub.token, patienceMs: PATIENCE_MS },
    { profiles, rawKeys, count: 6, random: (client) => seeded(round * 100 + client + 1) },
  )
  for (const fault of faults) {
    await history.more(MORE)
    await fault()
  }
  await history.more(MORE)
  const recorded = await history.end()
  for (const [name, start] of starts) {
    const operations = recorded.get(name) ?? []
    expect(operations.length).toBeGreaterThan(5)
    const model = versioned({ value: { ...start.value }, revision: start.revision, floor: start.revision })
    expect(isLinearizable(model, operations), `${name}, ${operations.length} operations`).toBe(true)
  }
  return history.lost
}

const restarting = (hub: HubProcess) => async () => {
  await hub.kill()
  await hub.restart()
}

const stopping = (hub: HubProcess) => async () => {
  hub.freeze()
  await delay(STOPPED_MS)
  hub.thaw()
}

const jumping = (hub: HubProcess, hours: number) => async () => {
  hub.setClock(hours)
  await Promise.resolve()
}

const cutting = (wire: TcpProxy) => async () => {
  wire.clog()
  await delay(STOPPED_MS)
  wire.cut()
  wire.heal()
}

const muting = (wire: TcpProxy) => async () => {
  wire.muteServer()
  await delay(STOPPED_MS)
  wire.cut()
  wire.heal()
}

describe('histories of concurrent clients are linearizable', () => {
  test(
    'on a hub with a store of its own that is killed, stopped, cut off and set to another time',
    async () => {
      const hub = await startHub('alone')
      const wire = await wireTo(hub)
      await check(
        hub,
        [wire.url],
        [
          restarting(hub),
          jumping(hub, 3),
          stopping(hub),
          cutting(wire),
          jumping(hub, -5),
          muting(wire),
          restarting(hub),
        ],
      )
    },
    LONG,
  )

  test(
    'on two hubs over three members of etcd, all of which are killed, stopped and cut off in turn',
    async () => {
      const etcd: EtcdCluster = await startEtcd({ members: 3 })
      closing.push(() => etcd.stop())
      const members = await Promise.all(etcd.members.map(({ port }) => openTcpProxy(`http://127.0.0.1:${port}`)))
      for (const wire of members) closing.push(() => wire.close())
      // The first hub sees etcd through wires of its own.
      const hosts = members.map(({ url }) => new URL(url).host)
      const one = await startHub('one', `etcd://${hosts.join(',')}`)
      const other = await startHub('other', etcd.url)
      const wire = await wireTo(one)
      const leader = (fault: (member: EtcdCluster['members'][number]) => Promise<void>) => async () =>
        fault(await etcd.leader())
      await check(
        one,
        [wire.url, other.url],
        [
          restarting(one),
          jumping(one, 3),
          leader(async (member) => {
            await member.kill()
            await delay(STOPPED_MS)
            await member.restart()
          }),
          stopping(other),
          cutting(wire),
          leader(async (member) => {
            member.freeze()
            await delay(STOPPED_MS)
            member.thaw()
          }),
          jumping(other, -5),
          async () => {
            for (const each of members) each.clog()
            await delay(STOPPED_MS)
            for (const each of members) each.cut()
            for (const each of members) each.heal()
          },
          muting(wire),
          restarting(other),
        ],
      )
    },
    LONG,
  )
})
