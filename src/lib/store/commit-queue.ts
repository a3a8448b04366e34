import { FlotillaError, isError } from '../../core/errors.ts'
import type { Op } from '../../core/op.ts'
import type { Group } from './commit-group.ts'

/** What may wait for the next group. A group is written in one turn of the event loop, so this is seldom reached. */
const MAX = { requests: 10_000, bytes: 32 * 1024 * 1024 } as const

export interface Request {
  readonly signal: AbortSignal | undefined
  readonly run: (group: Group) => unknown
  readonly answer: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Collects what is asked for in one turn of the event loop and hands it over, in order, at the end of the turn. */
export class CommitQueue {
  readonly #write: (requests: readonly Request[]) => void
  #requests: Request[] = []
  #bytes = 0

  /** `write` answers or rejects every request. */
  constructor(write: (requests: readonly Request[]) => void) {
    this.#write = write
  }

  /** `bytes` is how much the request holds in memory. Rejects with `RATE_LIMITED` when too much waits already. */
  async ask<T>(op: Op, bytes: number, run: (group: Group) => T): Promise<T> {
    if (this.#requests.length >= MAX.requests || this.#bytes + bytes > MAX.bytes) {
      throw new FlotillaError('RATE_LIMITED', 'too many transactions at once', { hint: 'Try again in a moment.' })
    }
    if (this.#requests.length === 0) setImmediate(() => this.flush())
    this.#bytes += bytes
    return await new Promise<T>((resolve, reject) => {
      this.#requests.push({ signal: op.signal, run, answer: resolve as (result: unknown) => void, reject })
    })
  }

  /** Hands over what waits, now. */
  flush(): void {
    const requests = this.#requests
    this.#requests = []
    this.#bytes = 0
    if (requests.length > 0) this.#write(requests)
  }
}

/** Runs one request in its group. What comes back tells its caller the outcome; call it once the group is durable. */
export function attempt({ signal, run, answer, reject }: Request, group: Group): () => void {
  if (signal?.aborted === true) return () => reject(signal.reason)
  try {
    const result = run(group)
    return () => answer(result)
  } catch (error) {
    // Refused before it changed anything. Any other error concerns the whole group.
    if (isError(error, 'LEASE_ENDED', 'TOO_LARGE')) return () => reject(error)
    throw error
  }
}
