import { Backoff } from '../backoff.ts'
import { RETRY_MS } from '../broker-health.ts'
import { aborted, sleepQuietly } from '../waiting.ts'
import { type BrokerAddress, brokersOf } from './address.ts'
import { connectStomp, type StompConnection, type StompLogin } from './connection.ts'

export interface StompBrokers extends StompLogin {
  /** Several with commas between: where one is lost, the next is tried. */
  readonly url: string
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * Keeps a connection to one of the brokers until the signal is aborted. `use` sets up each new one; why one was lost, or
 * could not be had, is told to `onLost`. Never rejects.
 */
export async function keepConnected(
  options: StompBrokers,
  use: (connection: StompConnection) => Promise<void>,
  onLost: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random } = options
  const brokers = brokersOf(options.url)
  const backoff = new Backoff({ firstMs: RETRY_MS.low, maxMs: RETRY_MS.high, random })
  for (let turn = 0; !signal.aborted; turn++) {
    const startMs = clock.monotonicMs()
    const broker = brokers[turn % brokers.length]
    if (broker !== undefined) await connectedTo(broker, options, use, signal).catch(onLost)
    // One that lets in and throws out again is not asked twice a second.
    if (clock.monotonicMs() - startMs > RETRY_MS.high) backoff.reset()
    if (!(await sleepQuietly(clock, backoff.nextMs(), signal))) return
  }
}

/** Resolves when the signal ended it, and otherwise rejects. */
async function connectedTo(
  broker: BrokerAddress,
  options: StompBrokers,
  use: (connection: StompConnection) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const connection = await connectStomp(broker, options, signal)
  const leave = (): void => void connection.close()
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  try {
    await use(connection)
    await aborted(connection.over)
    connection.over.throwIfAborted()
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', leave)
    await connection.close()
  }
}
