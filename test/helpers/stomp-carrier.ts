import { StompBus, type StompBusOptions } from '../../src/bus/stomp/stomp-bus.ts'
import { silent } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { type ActiveMq, isActiveMqInstalled, startActiveMq } from './activemq.ts'
import type { Carrier } from './carrier.ts'

function openStompBus({ url, user, password }: ActiveMq, more: Partial<StompBusOptions> = {}): StompBus {
  const own = { topic: 'flotilla', clock: systemClock, log: silent, random: Math.random }
  return new StompBus({ url, user, password, ...own, ...more })
}

export const queueOf = (node: string, topic: string): string => `Consumer.${node}.VirtualTopic.${topic}`

export const stompCarrier: Carrier<ActiveMq> = {
  kind: 'stomp',
  isInstalled: isActiveMqInstalled,
  start: startActiveMq,
  // A dot is not allowed in what people choose, and parts nothing here.
  open: async (broker, topic, options) => await Promise.resolve(openStompBus(broker, { topic, ...options })),
  waiting: async (broker, topic, node) => (await broker.waiting(queueOf(node, topic))).length,
  shout: async (broker, topic, bodies) => {
    const stranger = await broker.admin()
    const to = `/topic/VirtualTopic.${topic}`
    await stranger.send(to, { 'a:b\\c\n': '\\:\r\n' }, '{"prefix":"x/","revision":1,"data":"x"}')
    for (const body of bodies) await stranger.send(to, {}, body)
    await stranger.close()
  },
  words: { refused: /refused: User name \[flotilla\] or password is invalid/, silent: /silent for 20 s/ },
}
