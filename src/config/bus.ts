import { z } from 'zod'
import { buses } from '../bus/registry.ts'

/** The options of each bus's own schema; hubs and agents of one cluster say the same. */
const amqp = z.strictObject({
  kind: z.literal('amqp').describe('what carries hints; without `bus`, the watch that each agent has at the hub'),
  ...buses.amqp.schema.shape,
})

const stomp = z.strictObject({
  kind: z.literal('stomp').describe('ActiveMQ’s virtual topics'),
  ...buses.stomp.schema.shape,
})

export const bus = z.discriminatedUnion('kind', [amqp, stomp]).optional()

export type BusConfig = NonNullable<z.output<typeof bus>>
