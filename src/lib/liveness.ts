import { connect } from 'node:net'
import type { Clock } from '../core/clock.ts'
import { sleepQuietly, withDeadline } from './waiting.ts'

export interface LivenessOptions {
  readonly clock: Clock
  /** Whether the application is there; false, not a rejection, where it is not, or `late` is aborted. */
  readonly answers: (late: AbortSignal) => Promise<boolean>
}

const EVERY_MS = 3000
const TIMEOUT_MS = 2000

/**
 * Notices when an application goes or comes, long before the next regular look would. It proves nothing: that it was seen
 * to change is only a reason to look.
 */
export class Liveness {
  readonly #options: LivenessOptions
  /** Kept from one `changes` to the next, so that a change in between is not missed. */
  #isUp = true

  constructor(options: LivenessOptions) {
    this.#options = options
  }

  /** Yields whenever the answer is another than before. Ends when the signal is aborted. */
  async *changes(signal: AbortSignal): AsyncGenerator<void, void> {
    const { clock, answers } = this.#options
    while (!signal.aborted) {
      // Not joined with `signal`: one that lives for weeks keeps something of every signal that was made of it.
      const isUp = await withDeadline(clock, TIMEOUT_MS, answers)
      if (signal.aborted) return
      const isChange = isUp !== this.#isUp
      this.#isUp = isUp
      if (isChange) yield
      await sleepQuietly(clock, EVERY_MS, signal)
    }
  }
}

/** Whether something takes connections at `url`. Nothing is asked: ERDDAP and Tomcat would log every question. */
export async function takesConnections(url: string, signal: AbortSignal): Promise<boolean> {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const usual = protocol === 'https:' ? 443 : 80
  const socket = connect({ host, port: port === '' ? usual : Number(port), signal })
  return await new Promise((resolve) => {
    // It stays: one that is given up may fail once more.
    socket.on('error', () => resolve(false))
    socket.once('connect', () => {
      resolve(true)
      socket.destroy()
    })
  })
}
