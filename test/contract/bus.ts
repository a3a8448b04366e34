import { describe, expect, onTestFinished, test as plainTest, type TestAPI } from 'vitest'
import type { Bus, Hint } from '../../src/core/bus.ts'

export interface BusUnderTest {
  readonly publisher: Bus
  /** Where each of these nodes subscribes; may all be the same as the publisher. */
  readonly subscriber: (node: string) => Bus
  readonly close: () => Promise<void>
}

export interface BusTraits {
  /** Whether a hint may get lost although nothing is wrong; then the tests that count on each one are left out. */
  readonly lossy: boolean
  /** Vitest's own unless something of the machine is needed. */
  readonly test?: TestAPI
}

/** What every bus does, whatever it is made of: the doc comment of `Bus`, executed. */
export function busContract(name: string, open: () => Promise<BusUnderTest>, traits: BusTraits): void {
  const { lossy, test = plainTest } = traits
  const opened = async (): Promise<BusUnderTest> => {
    const bus = await open()
    onTestFinished(async () => await bus.close())
    return bus
  }

  describe(`bus contract: ${name}`, () => {
    if (!lossy) reliably(opened, test)

    test('nothing is heard that was not published', async () => {
      const { publisher, subscriber } = await opened()
      const heard = listen(subscriber('erd1'), 'erd1')
      for (let revision = 1; revision <= 100; revision++) {
        await publisher.publish({ prefix: `desired/t${revision % 3}`, revision })
      }
      const { prefix, revision } = await heard.next()
      expect(revision).toBeGreaterThanOrEqual(1)
      expect(revision).toBeLessThanOrEqual(100)
      expect(prefix).toBe(`desired/t${revision % 3}`)
    })

    test('an aborted signal ends the subscription', async () => {
      const { subscriber } = await opened()
      const heard = listen(subscriber('erd1'), 'erd1')
      const end = heard.end()
      heard.abort()
      expect(await end).toBe('ended')
    })

    test('a subscription with an aborted signal ends at once', async () => {
      const { subscriber } = await opened()
      const hints = subscriber('erd1').subscribe({ node: 'erd1', signal: AbortSignal.abort() })
      expect(await all(hints)).toEqual([])
    })

    test('closing ends every subscription, and nothing is published any more', async () => {
      const { publisher, subscriber } = await opened()
      const bus = subscriber('erd1')
      const heard = listen(bus, 'erd1')
      const end = heard.end()
      await bus.close()
      await publisher.close()
      expect(await end).toBe('ended')
      expect(await all(bus.subscribe({ node: 'erd1', signal: new AbortController().signal }))).toEqual([])
      await expect(publisher.publish({ prefix: 'desired/', revision: 1 })).rejects.toMatchObject({ code: 'NOT_READY' })
      await publisher.close()
    })

    test.for([
      ['a revision of 0', { prefix: 'desired/', revision: 0 }],
      ['a fraction', { prefix: 'desired/', revision: 1.5 }],
      ['a revision beyond the safe integers', { prefix: 'desired/', revision: 2 ** 53 }],
      ['a prefix with a line break', { prefix: 'desired/\n', revision: 1 }],
      ['a prefix without end', { prefix: 'd'.repeat(513), revision: 1 }],
      ['data', { prefix: 'desired/', revision: 1, data: 'x' }],
    ])('%s is refused', async ([, hint]) => {
      const { publisher } = await opened()
      await expect(publisher.publish(hint as Hint)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    })
  })
}

/** What holds where nothing gets lost. */
function reliably(opened: () => Promise<BusUnderTest>, test: TestAPI): void {
  test('a subscriber gets what is published after it subscribed', async () => {
    const { publisher, subscriber } = await opened()
    const heard = listen(subscriber('erd1'), 'erd1')
    await publisher.publish({ prefix: 'desired/datasets', revision: 7 })
    expect(await heard.next()).toEqual({ prefix: 'desired/datasets', revision: 7 })
  })

  test('every subscriber gets its own copy', async () => {
    const { publisher, subscriber } = await opened()
    const first = listen(subscriber('erd1'), 'erd1')
    const second = listen(subscriber('erd2'), 'erd2')
    await publisher.publish({ prefix: 'request/', revision: 3 })
    expect(await first.next()).toEqual({ prefix: 'request/', revision: 3 })
    expect(await second.next()).toEqual({ prefix: 'request/', revision: 3 })
  })

  test('a slow reader gets the newest hint of each prefix, and holds nobody up', async () => {
    const { publisher, subscriber } = await opened()
    const heard = listen(subscriber('erd1'), 'erd1')
    for (let revision = 1; revision <= 200; revision++) {
      await publisher.publish({ prefix: 'desired/datasets', revision })
    }
    await publisher.publish({ prefix: 'request/datasets', revision: 201 })
    const seen: Hint[] = []
    while (!seen.some(({ revision }) => revision === 201)) seen.push(await heard.next())
    const desired = seen.filter(({ prefix }) => prefix === 'desired/datasets').map(({ revision }) => revision)
    expect(desired.at(-1)).toBe(200)
    expect(desired).toEqual(desired.toSorted((a, b) => a - b))
  })
}

interface Heard {
  next(): Promise<Hint>
  /** Reads to the end of the subscription. */
  end(): Promise<'ended'>
  abort(): void
}

function listen(bus: Bus, node: string): Heard {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const hints = bus.subscribe({ node, signal: stop.signal })[Symbol.asyncIterator]()
  return {
    async next() {
      const { value, done } = await hints.next()
      if (done === true) throw new Error('the subscription ended')
      return value
    },
    async end() {
      while ((await hints.next()).done !== true);
      return 'ended'
    },
    abort: () => stop.abort(),
  }
}

async function all(hints: AsyncIterable<Hint>): Promise<readonly Hint[]> {
  const seen: Hint[] = []
  for await (const hint of hints) seen.push(hint)
  return seen
}
