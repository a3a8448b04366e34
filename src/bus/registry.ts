import { openAmqpBus } from './amqp/amqp-bus.ts'
import { amqpConfigSchema } from './amqp/config.ts'

/** Every kind of bus that needs something else to run, such as a broker: the shape of its options, and how it is opened. */
export const buses = {
  amqp: { schema: amqpConfigSchema, open: openAmqpBus },
} as const
