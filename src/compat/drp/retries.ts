import type { Socket } from 'node:net'
import { sha256 } from '../../lib/hash.ts'
import { type Once, onceOf } from '../../lib/once.ts'
import { onceIn } from '../../hub/profile-changes.ts'
import { Refusal } from './refusal.ts'
import type { Asking, Kind, Thing } from './things.ts'

/**
 * A request that says of itself that it is the same one again: by an `Idempotency-Key`, or by the token that `drpcli -t LEVEL -Z
 * TOKEN` puts on it. It is told the first answer, of any hub and after any crash.
 */
export function onceOfRetry({ request, caller }: Asking, body: unknown): Once | undefined {
  const traced = request.headers['x-log-token']
  if (typeof traced !== 'string' || traced === '') return onceIn(request, caller)
  const asked = JSON.stringify([request.method, request.url, body])
  // The same token may go with all commands of a script: it counts for one request each.
  return onceOf(caller.id, `drp ${traced} ${sha256(asked)}`, asked)
}

interface Done {
  readonly etag: string
  readonly atMs: number
}

/** Longer than its six tries take, one after the other. */
const REMEMBERED_MS = 60_000
const REMEMBERED = 10_000

/**
 * Tells the retry of a change from the same change by somebody else, where it says nothing of itself: `drpcli` sends a PATCH again when
 * its connection breaks, on a new connection, and the guard that its own first try has made untrue fails. That it
 * is a retry is certain only where the first connection broke before the answer was out, and the change still stands as it was
 * made. The answer is then given once: of several who ask for the same thing, one is told that it won.
 */
export class Retries {
  readonly #undelivered = new Map<string, Done>()

  async answering(asking: Asking, kind: Kind, key: string, work: () => Promise<Thing>): Promise<Thing> {
    const { request, caller, hub } = asking
    // Of a connection that is gone nobody knows any more whose it was.
    const { ip, method, url, body } = request
    // Most answers arrive, and most changes are not refused: then nobody asks.
    const id = (): string => sha256(JSON.stringify([caller.id, ip, method, url, body]))
    try {
      const thing = await work()
      this.#follow(asking, id, thing)
      return thing
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 409 || this.#undelivered.size === 0) throw error
      const first = this.#undelivered.get(id())
      if (first === undefined || hub.clock.monotonicMs() - first.atMs > REMEMBERED_MS) throw error
      const now = await kind.find(asking, key)
      if (now?.etag !== first.etag || !this.#undelivered.delete(id())) throw error
      this.#follow(asking, id, now)
      return now
    }
  }

  #follow({ reply, hub }: Asking, id: () => string, { etag }: Thing): void {
    const { raw } = reply
    const note = (): void => {
      const [oldest] = this.#undelivered.keys()
      if (this.#undelivered.size >= REMEMBERED && oldest !== undefined) this.#undelivered.delete(oldest)
      this.#undelivered.set(id(), { etag, atMs: hub.clock.monotonicMs() })
    }
    if (isBroken(raw.socket)) {
      note()
      return
    }
    raw.once('close', () => {
      if (!raw.writableFinished) note()
    })
  }
}

function isBroken(socket: Socket | null): boolean {
  return socket === null || socket.destroyed
}
