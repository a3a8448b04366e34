import { expect, test } from 'vitest'
import { amqpConfigSchema } from './config.ts'
import { addressOf, queueOf, routingKeyOf } from './topology.ts'

const urlOf = (url: string) => amqpConfigSchema.safeParse({ url, passwordFile: 'p' })

test.for([
  ['amqp://broker', { hostname: 'broker', port: 5672, vhost: '/', isEncrypted: false }],
  ['amqps://broker.example.org/', { hostname: 'broker.example.org', port: 5671, vhost: '/', isEncrypted: true }],
  ['amqp://[::1]:7000/flotilla', { hostname: '::1', port: 7000, vhost: 'flotilla', isEncrypted: false }],
  ['amqps://127.0.0.1/a%2Fb', { hostname: '127.0.0.1', port: 5671, vhost: 'a/b', isEncrypted: true }],
] as const)('%s is an address', ([url, address]) => {
  expect(urlOf(url).success).toBe(true)
  expect(addressOf({ url })).toEqual(address)
})

test.for([
  'broker:5672',
  'http://broker',
  'amqp://user:canary@broker',
  'amqp://canary@broker',
  'amqp://user:can/ary@broker',
  'amqp://broker/a/b',
  'amqp://broker?password=canary',
  'amqp://broker/x%',
  'amqp://broker/%ff',
  'amqp:',
])('%s is none, and what is said of it does not repeat it', (url) => {
  const { error } = urlOf(url)
  expect(error?.issues[0]?.message).toMatch(/^takes amqp:/)
  expect(JSON.stringify(error)).not.toContain('canary')
})

test('clusters and nodes whose names look alike have different queues', () => {
  const names = [
    queueOf({ exchange: 'a', queueType: 'classic' }, 'b.c'),
    queueOf({ exchange: 'a.b', queueType: 'classic' }, 'c'),
    queueOf({ exchange: 'a', queueType: 'quorum' }, 'b.c'),
  ].map(({ queue }) => queue)
  expect(new Set(names).size).toBe(3)
})

test('a routing key is one word, whatever the prefix', () => {
  expect(['desired/x', 'list/', '', '/', 'a'.repeat(500), 'a.b'].map((prefix) => routingKeyOf(prefix))).toEqual([
    'desired',
    'list',
    'all',
    'all',
    'a'.repeat(64),
    'a',
  ])
})
