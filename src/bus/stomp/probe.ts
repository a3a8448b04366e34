import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { connectFirst } from '../../lib/stomp/connect-first.ts'
import type { StompConnection } from '../../lib/stomp/connection.ts'
import type { Frame } from '../../lib/stomp/frame.ts'
import { withDeadline } from '../../lib/waiting.ts'
import { queueOf } from './destinations.ts'
import { HINT_BYTES_MAX, type StompBusOptions } from './stomp-bus.ts'

export type ProbeOptions = Omit<StompBusOptions, 'log' | 'random'>

/** What a look at the broker finds. */
export interface Probed {
  /** Whether somebody takes what comes into the node's queue just now. */
  readonly listening: number
}

/** An agent takes a message within milliseconds. */
const LOOKS = 5
const PAUSE_MS = 200
const LIFE_MS = 10_000
/** A broker tells what lies in an empty queue at once. */
const ANSWER_MS = 5000
const MARK = 'flotillaProbe'

/**
 * Connects once to the first broker that answers, puts a message that is no hint into the queue of a node, looks whether it is taken,
 * and leaves; one that nobody takes ends by itself. STOMP has no other way to ask. Rejects with `UNREACHABLE` and why.
 */
export async function probeStomp(options: ProbeOptions, node: string): Promise<Probed> {
  const connection = await connectFirst({ ...options, bodyMax: HINT_BYTES_MAX })
  const queue = queueOf(options, node)
  const id = randomUUID()
  try {
    const headers = { expires: String(options.clock.nowMs() + LIFE_MS), [MARK]: id }
    await connection.send(queue, headers, 'Does anybody listen?')
    for (let look = 0; look < LOOKS; look++) {
      await options.clock.sleep(PAUSE_MS)
      if (!(await liesIn(connection, queue, id, options.clock))) return { listening: 1 }
    }
    return { listening: 0 }
  } finally {
    await connection.close()
  }
}

async function liesIn(connection: StompConnection, destination: string, id: string, clock: Clock): Promise<boolean> {
  const end = Promise.withResolvers<void>()
  connection.over.addEventListener('abort', () => end.reject(connection.over.reason), { once: true })
  let isThere = false
  const headers = { browser: 'true', selector: `${MARK} = '${id}'` }
  const take = (message: Frame): void => {
    if (message.headers.get('browser') === 'end') end.resolve()
    else isThere = true
  }
  await withDeadline(clock, ANSWER_MS, async (late) => {
    late.addEventListener('abort', () => end.reject(late.reason), { once: true })
    await Promise.all([connection.subscribe({ destination, headers, prefetch: 1, take }), end.promise])
  })
  return isThere
}
