import { z } from 'zod'
import { stompSettings } from '../lib/stomp/settings.ts'

const TAKES_TOPIC = 'takes the cluster’s topicName, such as VirtualTopic.geoserver'

/** How an existing cluster of GeoServers with the JMS extension is listened to. */
export const jmsConfigSchema = z.strictObject({
  ...stompSettings,
  topic: z
    .string({ error: TAKES_TOPIC })
    .regex(/^VirtualTopic(?:\.[A-Za-z0-9_-]{1,64}){1,8}$/, { error: TAKES_TOPIC })
    .default('VirtualTopic.geoserver')
    .describe('`topicName` of its cluster.properties'),
  group: z
    .string()
    .min(1)
    .max(128)
    .default('geoserver-cluster')
    .describe('`group` of its cluster.properties; what other groups say is passed over'),
})

export type JmsConfig = z.output<typeof jmsConfigSchema>
