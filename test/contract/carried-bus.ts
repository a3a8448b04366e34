import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, type TestAPI, vi } from 'vitest'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { LossyBus } from '../fault/lossy-bus.ts'
import { away, type Carried, connected, hear, listening, PATIENT, type RealBroker, until } from '../helpers/carrier.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { recorder } from '../helpers/hub.ts'
import { seeded } from '../helpers/random.ts'
import { selfSigned } from '../helpers/self-signed.ts'
import { busContract, type BusUnderTest } from './bus.ts'

const SLOW = { timeout: 150_000 }

/** What every bus over a broker does besides what every bus does: with a real broker that is killed, stands still or lets nobody in. */
export function carriedBusContract<B extends RealBroker>(carried: Carried<B>, test: TestAPI): void {
  const { kind } = carried.carrier
  const opened = async (): Promise<BusUnderTest> => await openFleet(carried)
  busContract(kind, opened, { lossy: false, test })
  const faulty = async (): Promise<BusUnderTest> => {
    const bus = await opened()
    const faults = { repeat: 0.5, delay: 0.3, delayMsMax: 20, clock: systemClock, random: seeded(11) }
    return { ...bus, publisher: new LossyBus(bus.publisher, faults) }
  }
  busContract(`${kind}, repeating and reordering`, faulty, { lossy: true, test })
  comesAndGoes(carried, test)
  standsStill(carried, test)
  letsIn(carried, test)
}

async function openFleet<B extends RealBroker>(carried: Carried<B>): Promise<BusUnderTest> {
  const channel = carried.newChannel()
  const nodes = new Map([
    ['erd1', await carried.openNode('erd1', channel)],
    ['erd2', await carried.openNode('erd2', channel)],
  ])
  const publisher = await carried.open(channel)
  return {
    publisher,
    subscriber: (node) => nodes.get(node) ?? publisher,
    close: async () => {
      for (const bus of [publisher, ...nodes.values()]) await bus.close()
    },
  }
}

function comesAndGoes<B extends RealBroker>(carried: Carried<B>, test: TestAPI): void {
  test('of what is told in one go, the newest of each prefix is carried', SLOW, async () => {
    const channel = carried.newChannel()
    await (await carried.openNode('erd1', channel)).close()
    const hub = await carried.open(channel)
    for (let revision = 1; revision <= 1000; revision++) await hub.publish({ prefix: 'desired/', revision })
    const heard = hear(await carried.open(channel), 'erd1')
    await until(heard, { prefix: 'desired/', revision: 1000 })
    await (await carried.openNode('erd2', channel)).close()
    for (let revision = 1001; revision <= 2000; revision++) await hub.publish({ prefix: 'desired/', revision })
    await until(heard, { prefix: 'desired/', revision: 2000 })
    expect(await carried.waiting(channel, 'erd2')).toBeLessThan(20)
  })

  test('a broker that is absent at the start is found when it comes, and told the newest', SLOW, async () => {
    const { broker } = carried
    const channel = carried.newChannel()
    await broker.kill()
    const { log, lines } = recorder()
    const [hub, node] = [await carried.open(channel, { log }), await carried.open(channel)]
    const heard = hear(node, 'erd1')
    for (let revision = 1; revision <= 500; revision++) await hub.publish({ prefix: 'desired/', revision })
    await away(hub, /ECONNREFUSED/)
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    await broker.restart()
    await Promise.all([connected(hub), connected(node)])
    // The queue may have been made after the hint was sent: a bus may lose one, and the next one is heard.
    await hub.publish({ prefix: 'desired/', revision: 501 })
    await until(heard, { prefix: 'desired/', revision: 501 })
  })

  test('a broker killed twice in the middle loses nothing that counts', SLOW, async () => {
    const { broker } = carried
    const channel = carried.newChannel()
    const heard = hear(await carried.openNode('erd1', channel), 'erd1')
    const hub = await carried.open(channel)
    const stop = new AbortController()
    let revision = 0
    const publishing = (async () => {
      while (!stop.signal.aborted) {
        await hub.publish({ prefix: revision % 2 === 0 ? 'desired/' : 'request/', revision: ++revision })
        await sleep(2)
      }
    })()
    for (let kill = 0; kill < 2; kill++) {
      await vi.waitFor(() => expect(heard.size).toBe(2), PATIENT)
      await broker.kill()
      await away(hub, /./)
      const before = revision
      await broker.restart()
      await vi.waitFor(() => expect(heard.get('desired/')).toBeGreaterThan(before), PATIENT)
    }
    stop.abort()
    await publishing
    await until(heard, { prefix: 'request/', revision: revision % 2 === 0 ? revision : revision - 1 })
    await until(heard, { prefix: 'desired/', revision: revision % 2 === 0 ? revision - 1 : revision })
  })

  test('what is told while a node is away waits for it, also when the broker dies in between', SLOW, async () => {
    const { broker } = carried
    const channel = carried.newChannel()
    const waiting = async (): Promise<number> => await carried.waiting(channel, 'erd1')
    await (await carried.openNode('erd1', channel)).close()
    const hub = await carried.open(channel)
    await hub.publish({ prefix: 'desired/', revision: 7 })
    await vi.waitFor(async () => expect(await waiting()).toBe(1), PATIENT)
    await broker.kill()
    await away(hub, /./)
    await broker.restart()
    await vi.waitFor(async () => expect(await waiting()).toBe(1), PATIENT)
    await until(hear(await carried.open(channel), 'erd1'), { prefix: 'desired/', revision: 7 })
  })
}

function standsStill<B extends RealBroker>(carried: Carried<B>, test: TestAPI): void {
  test('a broker that stands still holds nobody up, is noticed, and used again when it goes on', SLOW, async () => {
    const { broker, carrier } = carried
    const channel = carried.newChannel()
    const hub = await carried.openNode('erd1', channel)
    const other = await carried.openNode('erd2', channel)
    const heard = hear(hub, 'erd1')
    broker.freeze()
    onTestFinished(() => broker.thaw())
    const before = Date.now()
    for (let revision = 1; revision <= 1000; revision++) await hub.publish({ prefix: `a${revision % 7}`, revision })
    expect(Date.now() - before).toBeLessThan(2000)
    await other.close()
    expect(Date.now() - before).toBeLessThan(6000)
    await expect(other.publish({ prefix: 'a', revision: 1 })).rejects.toMatchObject({ code: 'NOT_READY' })
    await away(hub, carrier.words.silent)
    broker.thaw()
    await until(heard, { prefix: 'a6', revision: 1000 })
  })
}

function letsIn<B extends RealBroker>(carried: Carried<B>, test: TestAPI): void {
  const { carrier } = carried

  test('what others send there is passed over', SLOW, async () => {
    const channel = carried.newChannel()
    const heard = hear(await carried.openNode('erd1', channel), 'erd1')
    const junk = ['', 'text', '{"prefix": ', 'null', '[]', '{"prefix":"desired/","revision":-1}', 'x'.repeat(1_000_000)]
    await carrier.shout(carried.broker, channel, [...junk, '{"prefix":"desired/","revision":5}'])
    await until(heard, { prefix: 'desired/', revision: 5 })
    expect([...heard]).toEqual([['desired/', 5]])
    // It was taken all the same: nothing of it waits for ever.
    await vi.waitFor(async () => expect(await carried.waiting(channel, 'erd1')).toBe(0), PATIENT)
  })

  test('a wrong password is said in words, and shown nowhere', SLOW, async () => {
    const { log, lines } = recorder()
    const bus = await carried.open(carried.newChannel(), { password: new Secret('hunter2-hunter2'), log })
    await away(bus, carrier.words.refused)
    expect(JSON.stringify([lines, bus.health, bus])).not.toContain('hunter2')
  })

  test('with TLS, the broker is believed only with a certificate of the right authority', SLOW, async () => {
    const files = selfSigned(temporaryFolder({}), 'DNS:localhost')
    const broker = await carrier.start({ tls: files })
    onTestFinished(async () => await broker.stop())
    const open = async (options: Parameters<typeof carrier.open>[2]) => {
      const bus = await carrier.open(broker, 'flotilla', options)
      onTestFinished(async () => await bus.close())
      return bus
    }
    const trusting = await listening(await open({ ca: readFileSync(files.certificate, 'utf8') }), 'erd1')
    const heard = hear(trusting, 'erd1')
    await trusting.publish({ prefix: 'desired/', revision: 3 })
    await until(heard, { prefix: 'desired/', revision: 3 })
    await away(await open({}), /certificate/)
    await away(await open({ url: broker.url.replace(/^(amqp)s|^(stomp)\+ssl/, '$1$2') }), /./)
  })
}
