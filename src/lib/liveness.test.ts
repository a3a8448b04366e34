import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { aborted } from './waiting.ts'
import { Liveness, takesConnections } from './liveness.ts'

class Setup {
  readonly clock = new VirtualClock()
  readonly changes: number[] = []
  readonly liveness: Liveness
  asked = 0
  stop = new AbortController()
  answer: (signal: AbortSignal) => Promise<boolean> = async () => true

  constructor() {
    onTestFinished(() => this.stop.abort())
    const answers = async (signal: AbortSignal): Promise<boolean> => {
      this.asked += 1
      return await this.answer(signal)
    }
    this.liveness = new Liveness({ clock: this.clock, answers })
  }

  async start(): Promise<void> {
    this.stop = new AbortController()
    const { signal } = this.stop
    void (async () => {
      for await (const _ of this.liveness.changes(signal)) this.changes.push(this.clock.monotonicMs())
    })()
    await this.clock.advance(0)
  }
}

test('an application that goes and comes is two changes, each seen within three seconds', async () => {
  const at = new Setup()
  await at.start()
  await at.clock.advance(60_000)
  expect(at).toMatchObject({ changes: [], asked: 21 })
  at.answer = async () => false
  await at.clock.advance(30_000)
  at.answer = async () => true
  await at.clock.advance(30_000)
  expect(at.changes).toEqual([63_000, 93_000])
})

test('one that gives no answer in two seconds is not there', async () => {
  const at = new Setup()
  at.answer = async (signal) => {
    await aborted(signal)
    return false
  }
  await at.start()
  await at.clock.advance(20_000)
  expect(at.changes).toEqual([2000])
})

test('what changed while nobody listened is told to who listens next', async () => {
  const at = new Setup()
  await at.start()
  at.stop.abort()
  await at.clock.advance(10_000)
  expect(at.asked).toBe(1)
  at.answer = async () => false
  await at.start()
  expect(at.changes).toEqual([10_000])
})

test('a port that listens takes connections, one that was closed does not', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/erddap`
  const { signal } = new AbortController()
  expect(await takesConnections(url, signal)).toBe(true)
  server.close()
  await once(server, 'close')
  expect(await takesConnections(url, signal)).toBe(false)
})

test('an attempt that is cut short is no connection', async () => {
  expect(await takesConnections('http://127.0.0.1:9/erddap', AbortSignal.abort())).toBe(false)
})
