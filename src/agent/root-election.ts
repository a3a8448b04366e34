import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Election, RootLeader } from '../core/push/election.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Lease, Store } from '../core/store.ts'
import { withDeadline } from '../lib/waiting.ts'
import { Wake } from '../lib/wake.ts'

export interface RootElectionOptions {
  readonly tree: string
  readonly node: string
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  /** Of the file service of this node. */
  readonly url: () => string
  /** A leader that does not renew its lease for so long has lost it. */
  readonly ttlMs: number
  /** No version of this node's ledger has a greater epoch. */
  readonly floor: () => number
  /** This node leads from here on, as soon as that has returned. */
  readonly onLead: (epoch: number) => void
  /** It has ceased to. */
  readonly onLost: () => void
}

interface Held {
  readonly lease: Lease
  readonly revision: number
  readonly epoch: number
  /** Of the monotonic clock: until then nobody else can hold it. */
  readonly untilMs: number
}

/** Of the time of a lease, that is not trusted: clocks of two machines do not run alike. */
const MARGIN = 0.1
const RELEASE_MS = 2000
/** How often it is looked who leads although nothing was heard. */
const LOOK_MS = 3000

/**
 * Competes for the lease of a tree. What holds a lease ends it no sooner than `ttlMs` after it was asked to renew it; the leader counts
 * that time from before it asked, and ceases a tenth of it earlier: there is no moment at which two lead.
 */
export class RootElection implements Election, Service {
  readonly name: string
  readonly #options: RootElectionOptions
  readonly #wake: Wake<'change'>
  #held: Held | undefined
  #seen: RootLeader | undefined

  constructor(options: RootElectionOptions) {
    this.name = `root of ${options.tree}`
    this.#options = options
    this.#wake = new Wake(options.clock)
  }

  /** Something has changed about `root/<tree>`. */
  poke(): void {
    this.#wake.poke('change')
  }

  get term(): number | undefined {
    const held = this.#held
    return held !== undefined && this.#options.clock.monotonicMs() < held.untilMs ? held.epoch : undefined
  }

  get leader(): RootLeader | undefined {
    const seen = this.#seen
    if (seen?.node !== this.#options.node) return seen
    return this.term === seen.epoch ? seen : undefined
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ttlMs } = this.#options
    try {
      while (!signal.aborted) {
        await (this.#held === undefined ? this.#compete(signal) : this.#renew(this.#held, signal))
        await this.#wake.wait({ ms: this.#held === undefined ? LOOK_MS : ttlMs / 4, signal })
      }
    } finally {
      const held = this.#held
      this.#lose()
      if (signal.aborted && held !== undefined) await this.#release(held)
    }
  }

  /** Rejects where the store cannot be reached: nothing is led then. */
  async #compete(signal: AbortSignal): Promise<void> {
    const { store, tree, node, log, clock } = this.#options
    const op = { signal }
    const found = await store.get(keys.root(tree), op).catch((error: unknown) => {
      this.#seen = undefined
      throw error
    })
    this.#seen = found === undefined ? undefined : leaderIn(found)
    // What this node itself held before it was started again ends with its lease: it does not know whether its clock went on.
    if (found !== undefined) return
    const last = await store.get(keys.rootEpoch(tree), op)
    const epoch = Math.max(Math.floor(clock.nowMs() / 1000), epochIn(last) + 1, this.#options.floor() + 1)
    const held = await this.#take(epoch, last, op)
    if (held === undefined) return
    log.info('this node leads the tree', { tree, node, epoch })
    this.#options.onLead(epoch)
    this.#seen = { node, url: this.#options.url(), epoch }
    this.#held = held
  }

  async #take(epoch: number, last: Entry | undefined, op: Op): Promise<Held | undefined> {
    const { store, tree, node, ttlMs } = this.#options
    const leader: RootLeader = { node, url: this.#options.url(), epoch }
    const untilMs = this.#untilMs()
    const lease = await store.grantLease(ttlMs, op)
    const commit = await store.commit(
      {
        expect: [
          { key: keys.root(tree), revision: 0 },
          { key: keys.rootEpoch(tree), revision: last?.revision ?? 0 },
        ],
        changes: [
          { op: 'put', key: keys.root(tree), value: JSON.stringify(leader), leaseId: lease.id },
          { op: 'put', key: keys.rootEpoch(tree), value: JSON.stringify({ epoch }) },
        ],
      },
      op,
    )
    if (commit.committed) return { lease, revision: commit.revision, epoch, untilMs }
    await lease.revoke(op)
    return undefined
  }

  async #renew(held: Held, signal: AbortSignal): Promise<void> {
    const { store, tree, clock, log } = this.#options
    const untilMs = this.#untilMs()
    try {
      const leftMs = Math.max(0, held.untilMs - clock.monotonicMs())
      if (leftMs === 0) return this.#lose()
      const entry = await withDeadline(clock, leftMs, async (late) => {
        const op = { signal: AbortSignal.any([signal, late]) }
        await held.lease.renew(op)
        return await store.get(keys.root(tree), op)
      })
      if (entry?.revision === held.revision) this.#held = { ...held, untilMs }
      else this.#lose()
    } catch (error) {
      if (signal.aborted) return
      log.debug('the lease of a root was not renewed', { tree, error: messageOf(error) })
      // Otherwise it is tried again, as long as there is time.
      if (isError(error, 'LEASE_ENDED') || this.term === undefined) this.#lose()
    }
  }

  #untilMs(): number {
    const { clock, ttlMs } = this.#options
    return clock.monotonicMs() + ttlMs * (1 - MARGIN)
  }

  #lose(): void {
    const { log, tree, node, onLost } = this.#options
    if (this.#held === undefined) return
    this.#held = undefined
    this.#seen = undefined
    log.info('this node leads the tree no more', { tree, node })
    onLost()
  }

  /** So that nobody has to wait for the lease to end. */
  async #release({ lease }: Held): Promise<void> {
    const { clock, log } = this.#options
    try {
      await withDeadline(clock, RELEASE_MS, async (signal) => await lease.revoke({ signal }))
    } catch (error) {
      log.debug('could not end the lease; it ends by itself', { error: messageOf(error) })
    }
  }
}

/** Other nodes write it: one that says nonsense says nothing. */
function leaderIn({ value }: Entry): RootLeader | undefined {
  try {
    const { node, url, epoch } = (JSON.parse(value) ?? {}) as Partial<Record<keyof RootLeader, unknown>>
    const isLeader = typeof node === 'string' && typeof url === 'string' && Number.isSafeInteger(epoch)
    return isLeader && isHttp(url) ? { node, url, epoch: epoch as number } : undefined
  } catch {
    return undefined
  }
}

function isHttp(url: string): boolean {
  return /^https?:\/\/[\x21-\x7e]{1,500}$/.test(url)
}

function epochIn(entry: Entry | undefined): number {
  try {
    const { epoch } = JSON.parse(entry?.value ?? '{}') as { readonly epoch?: unknown }
    return Number.isSafeInteger(epoch) ? (epoch as number) : 0
  } catch {
    return 0
  }
}
