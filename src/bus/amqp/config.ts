import { z } from 'zod'

const TAKES_URL =
  'takes amqp://HOST:PORT/VHOST or amqps://…, without user and password: those go into `user` and `passwordFile`'
const TAKES_NAME = 'takes a name of 1 to 64 of A-Z a-z 0-9 . _ -'
const file = z.string({ error: 'takes a path' }).min(1, { error: 'takes a path' })

/** How a broker that speaks AMQP 0-9-1, such as RabbitMQ, is reached. */
export const amqpConfigSchema = z.strictObject({
  url: z
    .string({ error: TAKES_URL })
    .refine(isBrokerUrl, { error: TAKES_URL })
    .describe('address of the broker, such as amqps://broker.example.org/flotilla, whose path is the virtual host'),
  user: z.string().min(1).default('flotilla').describe('user of the broker'),
  passwordFile: file.describe('file that holds the password of `user`; nobody else may be able to read it'),
  caFile: file
    .optional()
    .describe('certificates in PEM that the broker’s own is checked against, instead of the system’s'),
  exchange: z
    .string({ error: TAKES_NAME })
    .regex(/^[A-Za-z0-9._-]{1,64}$/, { error: TAKES_NAME })
    .default('flotilla')
    .describe('name of the topic exchange; clusters that share a virtual host need different ones'),
  queueType: z
    .enum(['classic', 'quorum'])
    .default('classic')
    .describe('kind of each node’s queue; quorum only where the broker is a cluster of three or more'),
})

export type AmqpConfig = z.output<typeof amqpConfigSchema>

/** Nothing in it may be a secret: addresses are shown, logged and put into environments. */
function isBrokerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, pathname, username, password, search, hash } = new URL(text)
  if (!/^amqps?:$/.test(protocol) || hostname === '' || !/^\/?[^/]*$/.test(pathname)) return false
  return username + password + search + hash === '' && isEncoded(pathname)
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
