import {
  type ArrivalRecord,
  type BarrierRecord,
  FIRST_GENERATION,
  hasPassed,
  PARTIES_MAX,
  passing,
} from '../core/coordination/barriers.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Entry, Store } from '../core/store.ts'
import { type Board, checkRoom } from './board.ts'
import { KeyLocks } from '../lib/key-locks.ts'
import { heldLease, type LeaseWish } from './leases.ts'
import type { Wait } from './waiters.ts'

export interface BarriersDeps {
  readonly store: Store
  readonly clock: Clock
  readonly board: Board
}

export interface Arrival extends Omit<ArrivalRecord, 'atMs'> {
  readonly name: string
  readonly who: string
  readonly parties: number
  readonly lease: LeaseWish
}

export interface PutArrival {
  readonly generation: number
  readonly leaseId: string
}

export interface BarrierState {
  readonly generation: number
  readonly parties: number
  readonly passed: boolean
  readonly arrived: readonly string[]
}

const BACK_MS = 250

/**
 * Barriers over a store. Who comes is a key under a lease; the commit that puts the last of those it takes lets all of them
 * pass, if the others are there at that very moment.
 */
export class Barriers {
  readonly #deps: BarriersDeps
  /** Those who come to one barrier at this hub come one after another, instead of losing races. */
  readonly #lines = new KeyLocks()

  constructor(deps: BarriersDeps) {
    this.#deps = deps
  }

  /**
   * Arrives in the generation that is open, and lets it pass if that was the last one. Rejects with `LOST_RACE` where `who` is
   * there already, and where others wait there for another number of parties; with `LEASE_ENDED` where the lease has ended.
   */
  async arrive(arrival: Arrival, signal: AbortSignal): Promise<PutArrival> {
    const { store, board } = this.#deps
    checkRoom(board, arrival.by)
    const held = await heldLease(store, arrival.lease, signal)
    try {
      const put = await this.#lines.with(arrival.name, async () => {
        for (;;) {
          signal.throwIfAborted()
          const answer = await this.#put(arrival, held.id)
          if (answer !== undefined) return answer
        }
      })
      if (put.leaseId !== held.id) await held.giveBack()
      return put
    } catch (error) {
      await held.giveBack()
      throw error
    }
  }

  /** How it stands with a generation, the open one unless told; waits until it has passed, or until `who` is no longer there. */
  async state(name: string, generation: number | undefined, wait: Wait, who?: string): Promise<BarrierState> {
    const { board } = this.#deps
    const now = await this.#read(name)
    const wanted = generation ?? now.record.generation
    const isOver = ({ record, arrivals }: Read): boolean =>
      hasPassed(record, wanted) || (who !== undefined && !arrivals.has(keys.arrival(name, wanted, who)))
    if (isOver(now) || wait.ms <= 0) return stateOf(now, name, wanted)
    if (!(await this.#isCaughtUp(name, now, wait))) return stateOf(await this.#read(name), name, wanted)
    const look = (): Read | undefined => {
      const seen = this.#seen(name)
      return isOver(seen) ? seen : undefined
    }
    const over = await board.until(keys.barrier(name), look, wait)
    return stateOf(over ?? (await this.#read(name)), name, wanted)
  }

  /** Leaves every generation in which `who` is; answers the latest of them, or the last that has passed. */
  async leave(name: string, who: string): Promise<number> {
    const { store } = this.#deps
    const { record, arrivals } = await this.#read(name)
    const mine = [...arrivals.keys()].filter((key) => whoOf(key) === who)
    await store.commit({ changes: mine.map((key) => ({ op: 'delete', key }) as const) })
    const latest = Math.max(0, ...mine.map((key) => generationOf(key)))
    return latest > 0 ? latest : Math.max(FIRST_GENERATION, record.generation - 1)
  }

  /** Who is still in a generation; waits until all have left. */
  async inside(name: string, generation: number, wait: Wait): Promise<readonly string[]> {
    const { board } = this.#deps
    const now = await this.#read(name)
    const inside = arrivedIn(now, name, generation)
    if (inside.length === 0 || wait.ms <= 0) return inside
    if (!(await this.#isCaughtUp(name, now, wait))) return arrivedIn(await this.#read(name), name, generation)
    const look = (): readonly string[] | undefined => {
      const left = arrivedIn(this.#seen(name), name, generation)
      return left.length === 0 ? left : undefined
    }
    return (await board.until(keys.barrier(name), look, wait)) ?? arrivedIn(await this.#read(name), name, generation)
  }

  /** The state as this hub last heard of it. */
  seen(name: string): BarrierState {
    const seen = this.#seen(name)
    return stateOf(seen, name, seen.record.generation)
  }

  /** Whether this hub has heard of all who have come: else those whom it has not heard of would seem to have left. */
  #isCaughtUp(name: string, { recordRevision }: Read, wait: Wait): Promise<boolean> {
    return this.#deps.board.reached(recordRevision, keys.barrier(name), { ...wait, ms: BACK_MS })
  }

  /** Undefined where somebody came or passed in between: look again. */
  async #put(arrival: Arrival, leaseId: string): Promise<PutArrival | undefined> {
    const { name, who, parties, by, label, session } = arrival
    const { store, clock } = this.#deps
    const read = await this.#read(name)
    const again = ownOf(read, arrival)
    if (again !== undefined) return again
    const { generation } = read.record
    const others = arrivedEntries(read, name, generation)
    if (read.record.parties !== parties && others.length > 0) throw otherParties(name, read.record, others.length)
    const record: BarrierRecord = { generation, parties }
    const next = passing(record, others.length + 1)
    const needed = next === undefined ? [] : others.slice(0, parties - 1)
    const key = keys.arrival(name, generation, who)
    const value: ArrivalRecord = { by, label, session, atMs: clock.nowMs() }
    const answer = await store.commit({
      expect: [
        { key: keys.barrier(name), revision: read.recordRevision },
        { key, revision: 0 },
        ...needed.map((other) => ({ key: other.key, revision: other.revision })),
      ],
      // Put each time: so no two come without knowing of each other.
      changes: [
        { op: 'put', key, value: JSON.stringify(value), leaseId },
        { op: 'put', key: keys.barrier(name), value: JSON.stringify(next ?? record) },
      ],
    })
    if (answer.committed) return { generation, leaseId }
    if (answer.key === key && read.arrivals.has(key)) {
      throw new FlotillaError('LOST_RACE', `${who} is at the barrier ${name} already`, {
        hint: 'Each party needs a name of its own.',
      })
    }
    return undefined
  }

  /** The record is put with every arrival: where one is newer, it came between the two readings. */
  async #read(name: string): Promise<Read> {
    const { store } = this.#deps
    for (;;) {
      const record = recordIn(await store.get(keys.barrier(name)))
      const { entries } = await store.list(`${keys.barrier(name)}/`)
      if (entries.some((each) => each.revision > record.recordRevision)) continue
      return { ...record, arrivals: new Map(entries.map((each) => [each.key, each])) }
    }
  }

  #seen(name: string): Read {
    const entries = this.#deps.board.entries(keys.barrier(name))
    const arrivals = new Map([...entries].filter(([key]) => key !== keys.barrier(name)))
    return { ...recordIn(entries.get(keys.barrier(name))), arrivals }
  }
}

function otherParties(name: string, { parties }: BarrierRecord, there: number): FlotillaError {
  return new FlotillaError(
    'LOST_RACE',
    `the barrier ${name} takes ${parties} parties, and ${there} of them are there`,
    {
      hint: 'All who meet at a barrier name the same number of parties.',
    },
  )
}

interface Read {
  readonly record: BarrierRecord
  /** 0 where nobody ever came. */
  readonly recordRevision: number
  readonly arrivals: ReadonlyMap<string, Entry>
}

function recordIn(entry: Entry | undefined): Pick<Read, 'record' | 'recordRevision'> {
  if (entry === undefined) return { record: { generation: FIRST_GENERATION, parties: PARTIES_MAX }, recordRevision: 0 }
  return { record: JSON.parse(entry.value) as BarrierRecord, recordRevision: entry.revision }
}

function arrivedEntries({ arrivals }: Read, name: string, generation: number): readonly Entry[] {
  const prefix = keys.arrivals(name, generation)
  return [...arrivals.values()].filter(({ key }) => key.startsWith(prefix)).toSorted((a, b) => a.revision - b.revision)
}

function arrivedIn(read: Read, name: string, generation: number): readonly string[] {
  return arrivedEntries(read, name, generation).map(({ key }) => whoOf(key))
}

/** Of the same asking before: also where that generation has passed meanwhile. */
function ownOf({ arrivals }: Read, { who, session, by }: Arrival): PutArrival | undefined {
  if (session === '') return undefined
  for (const { key, value, leaseId } of arrivals.values()) {
    const record = JSON.parse(value) as ArrivalRecord
    if (whoOf(key) !== who || record.session !== session || record.by !== by || leaseId === undefined) continue
    return { generation: generationOf(key), leaseId }
  }
  return undefined
}

function stateOf(read: Read, name: string, generation: number): BarrierState {
  const passed = hasPassed(read.record, generation)
  return { generation, parties: read.record.parties, passed, arrived: arrivedIn(read, name, generation) }
}

function whoOf(key: string): string {
  return decodeURIComponent(key.split('/')[3] ?? '')
}

function generationOf(key: string): number {
  return Number(key.split('/')[2])
}
