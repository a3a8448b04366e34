import type { AmqpBus, AmqpBusOptions } from './amqp/amqp-bus.ts'
import { amqpConfigSchema } from './amqp/config.ts'
import type { Probed, ProbeOptions } from './amqp/probe.ts'
import { stompConfigSchema } from './stomp/config.ts'
import type { Probed as StompProbed, ProbeOptions as StompProbeOptions } from './stomp/probe.ts'
import type { StompBus, StompBusOptions } from './stomp/stomp-bus.ts'

/**
 * Every kind of bus that needs something else to run, such as a broker: the shape of its options, how it is opened and looked
 * at. All but the shape is loaded when it is used: most clusters have none.
 */
export const buses = {
  amqp: {
    schema: amqpConfigSchema,
    open: async (options: AmqpBusOptions): Promise<AmqpBus> =>
      (await import('./amqp/amqp-bus.ts')).openAmqpBus(options),
    probe: async (options: ProbeOptions, node: string): Promise<Probed> =>
      (await import('./amqp/probe.ts')).probeAmqp(options, node),
  },
  stomp: {
    schema: stompConfigSchema,
    open: async (options: StompBusOptions): Promise<StompBus> =>
      new (await import('./stomp/stomp-bus.ts')).StompBus(options),
    probe: async (options: StompProbeOptions, node: string): Promise<StompProbed> =>
      (await import('./stomp/probe.ts')).probeStomp(options, node),
  },
} as const
