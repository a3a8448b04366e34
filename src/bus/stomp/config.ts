import { z } from 'zod'
import { stompSettings } from '../../lib/stomp/settings.ts'

const TAKES_NAME = 'takes a name of 1 to 64 of A-Z a-z 0-9 _ -'

/** How a broker that speaks STOMP 1.2 and has virtual topics, such as ActiveMQ, is reached. */
export const stompConfigSchema = z.strictObject({
  ...stompSettings,
  topic: z
    .string({ error: TAKES_NAME })
    .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: TAKES_NAME })
    .default('flotilla')
    .describe('name of the virtual topic, without `VirtualTopic.`; clusters that share a broker need different ones'),
})

export type StompConfig = z.output<typeof stompConfigSchema>
