import { randomUUID } from 'node:crypto'
import type { Growing } from '../core/files/growing.ts'
import type { Child } from '../core/push/child.ts'
import type { Operation, PutOperation } from '../core/push/operation.ts'
import type { Outcome } from '../core/push/wire.ts'
import type { Parts } from './lanes-body.ts'
import type { RelayBoard } from './sender-relay.ts'
import { isAboutChild } from './sender-faults.ts'
import type { Track } from './sender-track.ts'

/** `lagBytes`: whoever is further behind the writer gets the file later, from its row. */
const LIVE = { bodies: 4, lagBytes: 256 * 1024 * 1024, bufferBytes: 1024 * 1024 } as const

export interface LiveOptions {
  readonly child: Child
  readonly track: Track
  readonly parts: Parts
  readonly relay?: RelayBoard | undefined
  readonly onSent: (bytes: number) => void
  readonly onAnswer: () => void
  /** As of `Lanes`. */
  readonly onOutcome: (operation: Operation, outcome: Outcome) => void
  /** The child does not answer any more. */
  readonly onFailure: (error: unknown) => void
}

/** A body that is being written here, and what becomes of it: undefined where it comes to nothing. */
export interface Followed {
  readonly growing: Growing
  /** Never rejects. */
  readonly operation: Promise<PutOperation | undefined>
}

/** Sends bodies to one child while they come in: reads behind the writer, at the pace of the child. */
export class Live {
  readonly #options: LiveOptions
  readonly #signal: AbortSignal
  readonly #running = new Set<Promise<void>>()

  constructor(options: LiveOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  get size(): number {
    return this.#running.size
  }

  /** Takes over to release it when it answers true. */
  follow(followed: Followed): boolean {
    const isRoom = this.#running.size < LIVE.bodies && !this.#signal.aborted
    if (!isRoom || !this.#options.track.occupy(followed.growing.key)) return false
    const run = this.#run(followed)
    this.#running.add(run)
    void run.finally(() => this.#running.delete(run))
    return true
  }

  /** When all have ended; the signal ends them. */
  async ended(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #run(followed: Followed): Promise<void> {
    const { track, parts, child, relay, onAnswer, onOutcome, onFailure } = this.#options
    const { key } = followed.growing
    const claim = relay?.claim(child.url, key, undefined)
    const siblings = claim?.kind === 'carry' ? claim.siblings : []
    const id = `live-${randomUUID()}`
    let delivered: PutOperation | undefined
    try {
      const sent = await this.#send(followed, id, siblings)
      delivered = sent.delivered
      if (delivered !== undefined) onOutcome(delivered, sent.outcome)
      relay?.finish(child.url, key, delivered?.version, sent.outcome)
      onAnswer()
    } catch (error) {
      parts.brokeOff(key, id)
      if (isAboutChild(error) && !this.#signal.aborted) onFailure(error)
    } finally {
      relay?.finish(child.url, key, undefined, undefined)
      followed.growing.release()
      track.release(key, delivered?.version)
    }
  }

  /** `delivered`: the operation where the child has it now. */
  async #send(
    { growing, operation }: Followed,
    id: string,
    relay: readonly string[],
  ): Promise<{ readonly outcome: Outcome; readonly delivered: PutOperation | undefined }> {
    const { child } = this.#options
    const over = new AbortController()
    const signal = AbortSignal.any([this.#signal, over.signal])
    const chunks = this.#behind(growing, signal)
    let told: PutOperation | undefined
    const tell = async (): Promise<PutOperation | undefined> => {
      told = growing.state === 'whole' ? await operation : undefined
      return told
    }
    try {
      const body = { key: growing.key, id, from: 0, chunks, operation: tell, relay }
      const outcome = await child.body(body, { signal: this.#signal })
      const isThere = outcome.result === 'applied' || outcome.result === 'same' || outcome.result === 'older'
      return { outcome, delivered: isThere ? told : undefined }
    } finally {
      over.abort(new Error('the body is over'))
      await chunks.return().catch(() => undefined)
    }
  }

  async *#behind(growing: Growing, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const buffer = Buffer.allocUnsafeSlow(LIVE.bufferBytes)
    let at = 0
    for (;;) {
      signal.throwIfAborted()
      if (growing.written - at > LIVE.lagBytes) throw new Error('the child is too far behind the writer')
      if (at < growing.written && growing.state !== 'failed') {
        const count = await growing.read(buffer, at)
        at += count
        yield buffer.subarray(0, count)
        this.#options.onSent(count)
      } else if (growing.state === 'growing') await growing.changed({ signal })
      else return
    }
  }
}
