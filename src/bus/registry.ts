import type { AmqpBus, AmqpBusOptions } from './amqp/amqp-bus.ts'
import { amqpConfigSchema } from './amqp/config.ts'
import type { Probed, ProbeOptions } from './amqp/probe.ts'

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
} as const
