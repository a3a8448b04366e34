import { expect, onTestFinished, vi } from 'vitest'
import { StompBus, type StompBusOptions } from '../../src/bus/stomp/stomp-bus.ts'
import type { Hint } from '../../src/core/bus.ts'
import { silent } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { ActiveMq } from './activemq.ts'

export const PATIENT = { timeout: 60_000, interval: 20 }

let count = 0
/** Below `flotilla`, which its user may use. A dot is not allowed in what people choose, and parts nothing here. */
export const newTopic = (): string => `flotilla.t${++count}`

/** Closed with the test. */
export function openStompBus(broker: ActiveMq, more: Partial<StompBusOptions> = {}): StompBus {
  const { url, user, password } = broker
  const own = { topic: 'flotilla', clock: systemClock, log: silent, random: Math.random }
  const bus = new StompBus({ url, user, password, ...own, ...more })
  onTestFinished(async () => await bus.close())
  return bus
}

export async function connected(bus: StompBus): Promise<void> {
  await vi.waitFor(() => expect(bus.health).toMatchObject({ state: 'connected' }), PATIENT)
}

export async function away(bus: StompBus, error: RegExp): Promise<void> {
  const words: unknown = expect.stringMatching(error)
  await vi.waitFor(() => expect(bus.health).toMatchObject({ state: 'away', error: words }), PATIENT)
}

/** A bus as a node has it, with its queue in place. */
export async function openStompNode(broker: ActiveMq, node: string, more: Partial<StompBusOptions>): Promise<StompBus> {
  const bus = openStompBus(broker, more)
  bus.subscribe({ node, signal: new AbortController().signal })
  await connected(bus)
  return bus
}

/** The newest revision heard of each prefix. */
export function hear(bus: StompBus, node: string): ReadonlyMap<string, number> {
  const heard = new Map<string, number>()
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const reading = async (): Promise<void> => {
    for await (const { prefix, revision } of bus.subscribe({ node, signal: stop.signal })) {
      heard.set(prefix, Math.max(revision, heard.get(prefix) ?? 0))
    }
  }
  void reading()
  return heard
}

export async function until(heard: ReadonlyMap<string, number>, { prefix, revision }: Hint): Promise<void> {
  await vi.waitFor(() => expect(heard.get(prefix)).toBe(revision), PATIENT)
}

export const queueOf = (node: string, topic: string): string => `Consumer.${node}.VirtualTopic.${topic}`
