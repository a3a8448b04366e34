import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Expectation, Lease, Store } from '../core/store.ts'
import type { NodeAlive } from '../core/target.ts'
import { sleepQuietly, withDeadline } from '../lib/waiting.ts'
import { Wake } from '../lib/wake.ts'

export interface PresenceOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly alive: NodeAlive
  /** A lease that is not renewed for this long ends, and the node counts as lost. Renewed three times as often. */
  readonly ttlMs: number
  /** Called each time the name was claimed: what was told before may be gone. */
  readonly onClaimed: () => void
  /** Called once, with `LOST_RACE`, when another agent has this node's name. `run` resolves then. */
  readonly onDuplicate: (error: FlotillaError) => void
}

/** How long an ended agent may take to say goodbye. */
const RELEASE_MS = 2000
const ASK_MS = 1000

/**
 * Holds the node's name: `node/<node>/alive` under a lease. Of two agents with one name exactly one holds it:
 *
 * - An agent that was killed finds its own instance under its old lease when it comes back, and takes over at once.
 * - Another instance under a lease that ends in time was a machine that is gone: its name is taken over then.
 * - Another instance that goes on living holds the name: this agent gives up.
 * - Its own instance, where it held the name itself a moment ago, is a copy of this machine that took over: it gives up.
 */
export class Presence implements Service {
  readonly name = 'presence'
  readonly #options: PresenceOptions
  readonly #key: string
  readonly #leases = new Set<string>()
  readonly #doubts: Wake<'doubt'>
  #lease: Lease | undefined
  #held: number | undefined
  #everHeld = false

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#doubts = new Wake(options.clock)
    this.#key = keys.alive(options.alive.node)
  }

  /** What a commit must expect so that only the holder of the name can speak for the node; undefined while it is not held. */
  fence(): Expectation | undefined {
    return this.#held === undefined ? undefined : { key: this.#key, revision: this.#held }
  }

  /** Stays silent until the name was claimed again: for a commit that lost against the fence. */
  doubt(): void {
    this.#held = undefined
    this.#doubts.poke('doubt')
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        if (this.#held === undefined) await this.#claim(signal)
        const doubts = await this.#doubts.wait({ ms: this.#options.ttlMs / 3, signal })
        if (doubts.size === 0) await this.#renew({ signal })
      }
    } catch (error) {
      if (!isError(error, 'LOST_RACE')) throw error
      this.#held = undefined
      this.#options.onDuplicate(error)
    } finally {
      if (signal.aborted) await this.#release()
    }
  }

  async #claim(signal: AbortSignal): Promise<void> {
    const { store, clock, alive, ttlMs, log, onClaimed } = this.#options
    const patienceMs = ttlMs + ttlMs / 3
    let rival: { readonly lease: string | undefined; readonly sinceMs: number } | undefined
    while (!signal.aborted) {
      const entry = await store.get(this.#key, { signal })
      if (this.#mayTake(entry)) {
        if (!(await this.#take(entry, signal))) continue
        log.info('this node is alive', { node: alive.node })
        onClaimed()
        return
      }
      if (rival === undefined || rival.lease !== entry?.leaseId) {
        rival = { lease: entry?.leaseId, sinceMs: clock.monotonicMs() }
        log.warn('another agent has the name of this node; waiting whether it is still alive', { node: alive.node })
      }
      if (clock.monotonicMs() - rival.sinceMs > patienceMs) throw duplicateOf(alive.node)
      await sleepQuietly(clock, ASK_MS, signal)
    }
  }

  #mayTake(entry: Entry | undefined): boolean {
    if (entry === undefined || this.#isOurs(entry)) return true
    if (instanceIn(entry) !== this.#options.alive.instance) return false
    if (this.#everHeld) throw duplicateOf(this.#options.alive.node)
    return true
  }

  #isOurs(entry: Entry): boolean {
    return entry.leaseId !== undefined && this.#leases.has(entry.leaseId)
  }

  /** False when somebody else wrote the key in between. */
  async #take(seen: Entry | undefined, signal: AbortSignal): Promise<boolean> {
    const { store, alive, ttlMs } = this.#options
    this.#lease ??= await store.grantLease(ttlMs, { signal })
    const leaseId = this.#lease.id
    this.#leases.add(leaseId)
    try {
      const commit = await store.commit(
        {
          expect: [{ key: this.#key, revision: seen?.revision ?? 0 }],
          changes: [{ op: 'put', key: this.#key, value: JSON.stringify(alive), leaseId }],
        },
        { signal },
      )
      if (!commit.committed) return false
      this.#held = commit.revision
      this.#everHeld = true
      return true
    } catch (error) {
      if (!isError(error, 'LEASE_ENDED')) throw error
      this.#lease = undefined
      return false
    }
  }

  async #renew(op: Op): Promise<void> {
    try {
      await this.#lease?.renew(op)
    } catch (error) {
      if (!isError(error, 'LEASE_ENDED')) throw error
      this.#options.log.warn('the lease of this node ended; claiming its name again')
      this.#lease = undefined
      this.#held = undefined
      return
    }
    const entry = await this.#options.store.get(this.#key, op)
    if (entry?.revision !== this.#held) this.#held = undefined
  }

  /** Says goodbye, so that nobody has to wait for the lease to end. Where that fails, it ends by itself. */
  async #release(): Promise<void> {
    const { clock, log } = this.#options
    const lease = this.#lease
    this.#held = undefined
    this.#lease = undefined
    if (lease === undefined) return
    try {
      await withDeadline(clock, RELEASE_MS, async (signal) => await lease.revoke({ signal }))
    } catch (error) {
      log.debug('could not end the lease; it ends by itself', { error: messageOf(error) })
    }
  }
}

/** Which agent wrote an alive key. */
export function instanceIn(entry: Entry): string | undefined {
  try {
    return (JSON.parse(entry.value) as Partial<NodeAlive>).instance
  } catch {
    return undefined
  }
}

/** What an agent ends with when another one has its node's name. */
export function duplicateOf(node: string): FlotillaError {
  return new FlotillaError('LOST_RACE', `another agent is running as node ${node}`, {
    node,
    hint: `Stop one of the two, or give this one another name. If it runs on a copy of that machine, empty its state folder.`,
  })
}
