import type { Clock } from '../core/clock.ts'
import { type AckLevel, type AckWish, type ChildReach, isReached, type Reach } from '../core/push/ack.ts'
import type { Ledger, LedgerRow } from '../core/push/ledger.ts'
import type { Op } from '../core/op.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { DeepProbes } from './distribution-deep.ts'
import type { Sender } from './sender.ts'

export interface Member {
  readonly sender: Sender
  readonly probes: DeepProbes
  /** Without credentials. */
  readonly url: string
}

export interface ReachOptions {
  readonly ledger: Pick<Ledger, 'get'>
  readonly members: readonly Member[]
  readonly clock: Clock
}

/** A node below that was not there yet is asked about again after this. */
const AGAIN_MS = 100
/** How often it is looked whether there is hope, besides whenever something happens. */
const LOOK_MS = 500
/** Where there is none, those that may still come are given a moment, so that they are told as what they are. */
const MOMENT_MS = 1000
const STEP_MS = 50

/** Waits until a level is reached by the last operation on a key, or the time is over. Rejects only with the signal's reason. */
export async function reach(
  options: ReachOptions,
  key: string,
  { level, timeoutMs, isPatient = false }: AckWish,
  { signal }: Op,
): Promise<Reach> {
  signal?.throwIfAborted()
  const { ledger, members, clock } = options
  const there = new Set<Member>()
  const over = new AbortController()
  const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal])
  const isEnough = (some: ReadonlySet<Member>): boolean =>
    isReached(level, level === 'all' ? some.size : nodesOf(some).size, members.length)
  const hasReached = (): boolean => isEnough(there)
  const awaited = (): readonly Member[] => {
    const row = ledger.get(key)
    return members.filter((one) => !there.has(one) && !isHopeless(one, row, level))
  }
  const hasHope = (): boolean => isEnough(new Set([...there, ...awaited()]))
  const wait = async (member: Member): Promise<void> => {
    if (await hasArrived(options, member, key, level, stop)) there.add(member)
    if (hasReached()) over.abort(new Error('it is reached'))
  }
  const expire = async (): Promise<void> => {
    if (await sleepQuietly(clock, timeoutMs, stop)) over.abort(new Error('the time is over'))
  }
  const despair = async (): Promise<void> => {
    while (hasHope()) if (!(await sleepQuietly(clock, LOOK_MS, stop))) return
    for (let ms = 0; ms < MOMENT_MS && awaited().length > 0; ms += STEP_MS) {
      if (!(await sleepQuietly(clock, STEP_MS, stop))) return
    }
    over.abort(new Error('it cannot be reached any more'))
  }
  if (level !== 'local' && members.length > 0) {
    void expire()
    if (!isPatient) void despair()
    await Promise.all(members.map(wait))
    over.abort(new Error('all is known'))
    signal?.throwIfAborted()
  }
  const row = ledger.get(key)
  const children = members.map((one) => stateOf(one, row, level, there.has(one)))
  return { level, isReached: hasReached(), children }
}

/** A node that is reached by two URLs holds one copy. */
function nodesOf(members: ReadonlySet<Member>): ReadonlySet<string> {
  return new Set([...members].map(({ sender, url }) => sender.answer?.id ?? url))
}

/** Whether it is not worth to wait for that child: it refuses, is away, cannot take it, or says so of a node below. */
function isHopeless({ sender }: Member, row: LedgerRow | undefined, level: AckLevel): boolean {
  if (row === undefined) return false
  const arrival = sender.arrival(row.key, row.position)
  if (arrival.state === 'failed') return arrival.isHopeless
  return level === 'all' && sender.answer?.below?.isRefusal === true
}

/** False where it had not when the signal aborted. */
async function hasArrived(
  { ledger, clock }: ReachOptions,
  { sender, probes }: Member,
  key: string,
  level: AckLevel,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    // Asked for each time: of an operation that was replaced meanwhile, the later one counts.
    const row = ledger.get(key)
    if (row === undefined) return true
    if (sender.arrival(key, row.position).state === 'reached') {
      if (level !== 'all' || sender.isDeep(row) || (await probes.isDeep(row, signal))) return true
      await sleepQuietly(clock, AGAIN_MS, signal)
    } else await sender.settled(key, signal).catch(() => undefined)
  }
  return false
}

function stateOf(
  { url, sender }: Member,
  row: LedgerRow | undefined,
  level: AckLevel,
  hasReached: boolean,
): ChildReach {
  if (hasReached || row === undefined) return { child: url, state: 'reached' }
  const arrival = sender.arrival(row.key, row.position)
  if (arrival.state === 'failed') return { child: url, state: 'failed', error: arrival.error }
  const below = level === 'all' ? sender.answer?.below : undefined
  if (below !== undefined) return { child: url, state: 'failed', error: `below it ${below.error}` }
  return { child: url, state: arrival.state === 'reached' && level !== 'all' ? 'reached' : 'pending' }
}
