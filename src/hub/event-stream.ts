import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { formatEvent, HEARTBEAT, type ServerSentEvent } from '../lib/sse.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface EventStreamOptions {
  readonly clock: Clock
  readonly heartbeatMs: number
  /** How long to wait for a reader that takes nothing, before the connection is cut. */
  readonly stalledMs: number
  readonly headers: Readonly<Record<string, string>>
  /** Ends the heartbeats and every wait. */
  readonly signal: AbortSignal
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  // The connection serves this stream only, so that nothing of it is left when the stream has ended.
  connection: 'close',
  // For nginx in front, which would hold events back until its buffer is full.
  'x-accel-buffering': 'no',
}

/** Server-sent events on one answer: waits for a slow reader instead of heaping up what it has not read. */
export class EventStream {
  readonly #response: ServerResponse
  readonly #options: EventStreamOptions

  constructor(response: ServerResponse, options: EventStreamOptions) {
    this.#response = response
    this.#options = options
    response.writeHead(200, { ...options.headers, ...STREAM_HEADERS })
    response.flushHeaders()
  }

  /** Resolves when there is room for more. */
  async send(event: ServerSentEvent): Promise<void> {
    const { clock, stalledMs, signal } = this.#options
    if (this.#response.write(formatEvent(event)) || signal.aborted) return
    const drained = new AbortController()
    const stop = AbortSignal.any([signal, drained.signal])
    const cut = sleepQuietly(clock, stalledMs, stop).then((over) => over && this.#response.destroy())
    try {
      await once(this.#response, 'drain', { signal })
    } catch {
      // The reader has gone, or the stream ends: whoever sends next sees it by the signal.
    } finally {
      drained.abort()
    }
    await cut
  }

  /** A sign of life every `heartbeatMs`, after a call of `check`, until the signal aborts. */
  async heartbeats(check: () => void): Promise<void> {
    const { clock, heartbeatMs, signal } = this.#options
    while (await sleepQuietly(clock, heartbeatMs, signal)) {
      check()
      if (!this.#response.writableNeedDrain) this.#response.write(HEARTBEAT)
    }
  }

  /**
   * Cuts off a reader that is behind: what waits for it would stay in memory, and the connection open, for as long as it
   * likes, and it would do so once more with each stream that is ended for it.
   */
  end(): void {
    if (this.#response.writableNeedDrain) this.#response.destroy()
    else this.#response.end()
  }
}
