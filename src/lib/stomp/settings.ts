import { z } from 'zod'
import { areBrokers, TAKES_BROKERS } from './address.ts'

const file = z.string({ error: 'takes a path' }).min(1, { error: 'takes a path' })

/** How brokers that speak STOMP are reached, wherever that is configured. */
export const stompSettings = {
  url: z
    .string({ error: TAKES_BROKERS })
    .refine(areBrokers, { error: TAKES_BROKERS })
    .describe(
      'address of the broker, such as stomp+ssl://broker.example.org:61612, or of several with commas between, of which one is used at a time',
    ),
  user: z.string().min(1).default('flotilla').describe('user of the broker'),
  passwordFile: file.describe('file that holds the password of `user`; nobody else may be able to read it'),
  caFile: file
    .optional()
    .describe('certificates in PEM that the broker’s own is checked against, instead of the system’s'),
}
