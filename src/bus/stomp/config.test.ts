import { expect, test } from 'vitest'
import { brokersOf } from '../../lib/stomp/address.ts'
import { stompConfigSchema } from './config.ts'
import { queueOf } from './destinations.ts'

const urlOf = (url: string) => stompConfigSchema.safeParse({ url, passwordFile: 'p' })

test.for([
  ['stomp://broker', [{ host: 'broker', port: 61_613, isEncrypted: false }]],
  ['stomp+ssl://broker.example.org/', [{ host: 'broker.example.org', port: 61_612, isEncrypted: true }]],
  [
    'stomp://[::1]:7000,stomp+ssl://10.0.0.1:61614',
    [
      { host: '::1', port: 7000, isEncrypted: false },
      { host: '10.0.0.1', port: 61_614, isEncrypted: true },
    ],
  ],
] as const)('%s says where brokers are', ([url, brokers]) => {
  expect(urlOf(url).success).toBe(true)
  expect(brokersOf(url)).toEqual(brokers)
})

test.for([
  'broker:61613',
  'tcp://broker:61616',
  'failover:(stomp://broker)',
  'stomp://user:canary@broker',
  'stomp://canary@broker',
  'stomp://broker/canary',
  'stomp://broker?password=canary',
  'stomp://a,stomp://user:canary@b',
  'stomp://a,',
  'stomp://a, stomp://b',
  'stomp:',
  'stomp://broker:70000',
])('%s is none, and what is said of it does not repeat it', (url) => {
  const { error } = urlOf(url)
  expect(error?.issues[0]?.message).toMatch(/^takes stomp:/)
  expect(JSON.stringify(error)).not.toContain('canary')
})

test.for(['a.b', '>', 'a*', '', 'x'.repeat(65)])('%s is no name of a topic', (topic) => {
  expect(stompConfigSchema.safeParse({ url: 'stomp://b', passwordFile: 'p', topic }).success).toBe(false)
})

test('a name of a node is one part of its queue', () => {
  expect(queueOf({ topic: 't' }, 'erd-1_x')).toBe('/queue/Consumer.erd-1_x.VirtualTopic.t')
  expect(queueOf({ topic: 't' }, 'a.b')).toBe('/queue/Consumer.a%2eb.VirtualTopic.t')
})
