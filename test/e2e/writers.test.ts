import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { LOST } from '../../src/client/answered.ts'
import { ProfilesClient } from '../../src/client/profiles-client.ts'
import { isError } from '../../src/core/errors.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { startEtcd } from '../helpers/etcd.ts'
import { HubProcess } from '../helpers/hub-process.ts'
import { needs } from '../helpers/needs.ts'
import { longest } from '../helpers/soak.ts'

/** Many writers of one profile over HTTP, at hubs that are processes of their own: each increment counts, and counts once. */
const WRITERS = 100
const INCREMENTS = process.env['FLOTILLA_SOAK'] === '1' ? 10_000 : 500
const LONG = longest(300_000)
const profile = 'shared'

const test = await needs({ tools: ['etcd'] })

let folder: string
const closing: (() => unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-writers-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

async function startHub(name: string, store?: string): Promise<HubProcess> {
  const hub = await HubProcess.start({ folder, name, store })
  closing.push(() => hub.kill())
  return hub
}

function clientOf(...hubs: readonly HubProcess[]): ProfilesClient {
  const url = hubs.map((hub) => hub.url).join(',')
  const client = new ProfilesClient({ url, token: new Secret(hubs[0]?.token ?? ''), clock: systemClock })
  closing.push(() => client.close())
  return client
}

/** What was taken is asked for until it is told by the client itself; what nobody took is another request. */
async function increment(client: ProfilesClient | undefined): Promise<unknown> {
  for (;;) {
    try {
      return (await client?.change({ op: 'increment', profile, param: 'n' }))?.value
    } catch (error) {
      if (!isError(error, 'UNREACHABLE', 'NOT_READY') || error.details.hint === LOST) throw error
      await delay(100)
    }
  }
}

/** What each writer was told, of all increments together; `meanwhile` happens when some are done. */
async function count(clients: readonly ProfilesClient[], meanwhile?: () => Promise<void>): Promise<void> {
  const [first] = clients
  await first?.change({ op: 'create', profile })
  const told: unknown[] = []
  let left = INCREMENTS
  const writing = Array.from({ length: WRITERS }, async (_, writer) => {
    const client = clients[writer % clients.length]
    while (left-- > 0) told.push(await increment(client))
  })
  if (meanwhile !== undefined) {
    await expect.poll(() => told.length, { timeout: LONG }).toBeGreaterThan(INCREMENTS / 4)
    await meanwhile()
  }
  await Promise.all(writing)
  expect(new Set(told).size).toBe(INCREMENTS)
  expect((await first?.get(profile))?.params).toEqual({ n: INCREMENTS })
}

describe(`${WRITERS} concurrent writers lose none of ${INCREMENTS} increments`, () => {
  test(
    'of a hub with a store of its own, which is killed and started again meanwhile',
    async () => {
      const hub = await startHub('alone')
      const clients = Array.from({ length: WRITERS }, () => clientOf(hub))
      await count(clients, async () => {
        await hub.kill()
        await hub.restart()
      })
    },
    LONG,
  )

  test(
    'of two hubs over etcd, one of which is killed for good',
    async () => {
      const etcd = await startEtcd()
      closing.push(() => etcd.stop())
      const [one, other] = [await startHub('one', etcd.url), await startHub('other', etcd.url)]
      const clients = Array.from({ length: WRITERS }, (_, at) =>
        at % 2 === 0 ? clientOf(one, other) : clientOf(other, one),
      )
      await count(clients, () => other.kill())
    },
    LONG,
  )
})
