import { FlotillaError } from '../core/errors.ts'
import {
  type Outcome,
  PourConnection,
  type PourHead,
  type PourOptions,
  type PourRequest,
  type Take,
} from './pour-connection.ts'

const SILENCE_MS = 30_000
/** Connections that are kept for the next request. */
const IDLE_MAX = 128

/**
 * Reads answers over plain HTTP/1.1, each connection into one buffer of its own. Other clients make a new buffer for each piece, and
 * for gigabytes a second clearing those away costs more than everything else.
 */
export class PourPool {
  readonly #options: PourOptions
  readonly #idle: PourConnection[] = []
  readonly #all = new Set<PourConnection>()

  constructor(options: PourOptions) {
    this.#options = options
  }

  /**
   * Sends the request, and gives the body to `take`, all of it. `accepts` sees the head first: where it answers false, or the length is not told,
   * nothing is given, and the answer is `refused`: ask in another way then. Rejects with `UNREACHABLE`, with what `take` throws, or with
   * the signal's reason.
   */
  async pour(request: PourRequest, accepts: (head: PourHead) => boolean, take: Take): Promise<'poured' | 'refused'> {
    request.signal?.throwIfAborted()
    const kept = this.#idle.pop()
    if (kept !== undefined) {
      const outcome = await this.#exchange(kept, request, accepts, take)
      // The other side may have closed it while it was not used.
      if (outcome !== 'stale') return outcome
    }
    const outcome = await this.#exchange(this.#connect(), request, accepts, take)
    if (outcome === 'stale') throw new FlotillaError('UNREACHABLE', `${this.#options.name} closed the connection`)
    return outcome
  }

  /** Likewise, into one piece of memory; undefined where it is refused. */
  async whole(request: PourRequest, accepts: (head: PourHead) => boolean): Promise<Buffer | undefined> {
    let bytes = Buffer.alloc(0)
    let filled = 0
    const prepares = (head: PourHead): boolean => {
      if (!accepts(head)) return false
      bytes = Buffer.allocUnsafe(Number(head.header('content-length')))
      return true
    }
    const take = (chunk: Uint8Array): void => {
      bytes.set(chunk, filled)
      filled += chunk.byteLength
    }
    return (await this.pour(request, prepares, take)) === 'poured' ? bytes : undefined
  }

  close(): void {
    for (const connection of this.#all) connection.destroy()
  }

  #connect(): PourConnection {
    const connection = new PourConnection(this.#options, () => {
      this.#all.delete(connection)
      const index = this.#idle.indexOf(connection)
      if (index >= 0) this.#idle.splice(index, 1)
    })
    this.#all.add(connection)
    return connection
  }

  async #exchange(
    connection: PourConnection,
    request: PourRequest,
    accepts: (head: PourHead) => boolean,
    take: Take,
  ): Promise<Outcome> {
    const abort = (): void => connection.destroy(request.signal?.reason)
    request.signal?.addEventListener('abort', abort, { once: true })
    try {
      const outcome = await connection.exchange(request, accepts, take)
      if (connection.isReusable && this.#idle.length < IDLE_MAX) this.#idle.push(connection)
      else connection.destroy()
      return outcome
    } finally {
      request.signal?.removeEventListener('abort', abort)
    }
  }
}

/** One pool for each origin. */
export class PourPools {
  readonly #pools = new Map<string, PourPool>()

  /** `name`: of who is there, for messages. */
  of(origin: string, name: string): PourPool {
    const known = this.#pools.get(origin)
    if (known !== undefined) return known
    const pool = new PourPool({ origin, name, silenceMs: SILENCE_MS })
    this.#pools.set(origin, pool)
    return pool
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close()
  }
}
