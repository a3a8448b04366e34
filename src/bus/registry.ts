import { openAmqpBus } from './amqp/amqp-bus.ts'
import { amqpConfigSchema } from './amqp/config.ts'
import { probeAmqp } from './amqp/probe.ts'

/** Every kind of bus that needs something else to run, such as a broker: the shape of its options, how it is opened and looked at. */
export const buses = {
  amqp: { schema: amqpConfigSchema, open: openAmqpBus, probe: probeAmqp },
} as const
