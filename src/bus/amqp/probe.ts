import type { Connection } from 'rabbitmq-client'
import { FlotillaError } from '../../core/errors.ts'
import { wordsOf } from '../../lib/connection-words.ts'
import { connectionOptions, type AmqpBusOptions } from './amqp-bus.ts'
import { queueOf } from './topology.ts'

export type ProbeOptions = Omit<AmqpBusOptions, 'clock' | 'log' | 'random'>

/** What a look at the broker finds. */
export interface Probed {
  /** How many agents listen to the node's queue just now; undefined when there is no such queue. */
  readonly listening: number | undefined
}

const CONNECT_MS = 5000

/** Connects once, looks at the queue of a node without making it, and leaves. Rejects with `UNREACHABLE` and why. */
export async function probeAmqp(options: ProbeOptions, node: string): Promise<Probed> {
  const { Connection: Client } = await import('rabbitmq-client')
  const connection = new Client({ ...connectionOptions(options), acquireTimeout: CONNECT_MS })
  // The client would try again and again, and say so at the end of its patience; the first answer is what counts here.
  const failed = new Promise<never>((_, reject) => connection.on('error', reject))
  try {
    await Promise.race([connection.onConnect(CONNECT_MS, true), failed])
    return { listening: await consumersOf(connection, queueOf(options, node).queue ?? '') }
  } catch (error) {
    throw new FlotillaError('UNREACHABLE', `${options.url}: ${wordsOf(error)}`, { cause: error })
  } finally {
    connection.unsafeDestroy()
  }
}

async function consumersOf(connection: Connection, queue: string): Promise<number | undefined> {
  try {
    return (await connection.queueDeclare({ queue, passive: true })).consumerCount
  } catch (error) {
    if ((error as { code?: string }).code === 'NOT_FOUND') return undefined
    throw error
  }
}
