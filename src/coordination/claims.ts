import {
  type Claim,
  type ClaimKind,
  type ClaimRecord,
  holdersOf,
  inLine,
  type Place,
  placeOf,
  whoOf,
} from '../core/coordination/claims.ts'
import { type Fence, staleFence } from '../core/coordination/fences.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import type { Entry, Expectation, Store } from '../core/store.ts'
import { type Board, checkRoom } from './board.ts'
import type { LeaseWish } from './leases.ts'
import { heldLease } from './leases.ts'
import type { Wait } from './waiters.ts'

export interface ClaimsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly board: Board
}

/** A claim as it stands in the store. */
export interface FoundClaim extends Claim {
  readonly key: string
  readonly record: ClaimRecord
  readonly leaseId: string | undefined
  /** What it proclaims, in place of what it came with. */
  readonly value: unknown
}

export interface Contender extends Omit<ClaimRecord, 'atMs' | 'own'> {
  readonly kind: ClaimKind
  readonly name: string
  readonly who: string
  readonly lease: LeaseWish
}

/** A claim that was put, or was there from the same asking before. */
export interface PutClaim {
  readonly key: string
  readonly revision: number
  readonly leaseId: string
}

export interface ClaimState extends Place, Pick<Claim, 'revision'> {
  /** The nearest ones, at most ten. */
  readonly ahead: readonly string[]
}

/** A claim of before, and whether somebody waits until it holds or, with `gone`, for its end alone. */
export interface Asked {
  readonly kind: ClaimKind
  readonly name: string
  readonly revision: number
  readonly until?: 'held' | 'gone' | undefined
}

/** How many claims may be put under one another. */
const UNDER_MAX = 8
/** With what they proclaim. */
const LINE_MAX = 2000
const AHEAD_SHOWN = 10
/** How long a put may take to come back through the watch, before the store itself is asked. */
const BACK_MS = 250

/**
 * Lines of claims over a store. Contending is one put; whoever holds is told by the rule of core/coordination/claims.ts, and
 * what a claim waits for is that those ahead are gone. Nobody compares, loops or sweeps.
 */
export class Claims {
  readonly #deps: ClaimsDeps

  constructor(deps: ClaimsDeps) {
    this.#deps = deps
  }

  /**
   * Puts a claim at the end of the line. Where `who` has one already, waits until it is gone; rejects with `LOST_RACE` when
   * the time is over. Rejects with `TOO_LARGE` where there are too many, `LEASE_ENDED` where the lease has ended.
   */
  async contend(contender: Contender, wait: Wait): Promise<PutClaim> {
    const { kind, name, who, lease, ...rest } = contender
    const { store, clock, board } = this.#deps
    const key = keys.claim(kind, name, who)
    this.#checkRoom(contender)
    if ((contender.under?.length ?? 0) > UNDER_MAX) {
      throw new FlotillaError('BAD_REQUEST', `more than ${UNDER_MAX} claims would be under one another`)
    }
    const held = await heldLease(store, lease, wait.signal)
    try {
      const endMs = clock.monotonicMs() + wait.ms
      for (;;) {
        const record: ClaimRecord = { ...rest, ...('ttlMs' in lease && { own: true }), atMs: clock.nowMs() }
        const put = { op: 'put', key, value: JSON.stringify(record), leaseId: held.id } as const
        const answer = await store.commit({ expect: [{ key, revision: 0 }], changes: [put] })
        if (answer.committed) return { key, revision: answer.revision, leaseId: held.id }
        const found = await store.get(key)
        if (found === undefined) continue
        const mine = ownOf(found, contender)
        if (mine !== undefined) {
          await held.giveBack()
          return mine
        }
        const ms = endMs - clock.monotonicMs()
        const look = (): true | undefined => this.#isGone(`${kind}/${name}`, found) || undefined
        if ((await board.until(`${kind}/${name}`, look, { ...wait, ms })) === undefined) throw taken(contender)
      }
    } catch (error) {
      await held.giveBack()
      throw error
    }
  }

  /** How it stands with a claim of before, as the store has it now; else as `state`. */
  async stateNow(asked: Asked, wait: Wait): Promise<ClaimState | undefined> {
    const now = await this.#stateInStore(asked)
    if (now === undefined || wait.ms <= 0 || isAwaited(now, asked)) return now
    return this.state(asked, wait)
  }

  /** How it stands with a claim that was just put; waits until it holds, or until it is gone. Undefined where it is gone. */
  async state(asked: Asked, wait: Wait): Promise<ClaimState | undefined> {
    const { board } = this.#deps
    const { kind, name, revision } = asked
    const topic = `${kind}/${name}`
    if (!(await board.reached(revision, topic, { ...wait, ms: BACK_MS }))) return this.#stateInStore(asked)
    const look = (): 'gone' | ClaimState | undefined => {
      const state = stateIn(this.seen(kind, name), revision)
      return state === undefined ? 'gone' : isAwaited(state, asked) ? state : undefined
    }
    const found = (await board.until(topic, look, wait)) ?? stateIn(this.seen(kind, name), revision)
    return found === 'gone' ? undefined : found
  }

  /** The line as the store has it now. */
  async line(
    kind: ClaimKind,
    name: string,
  ): Promise<{ readonly line: readonly FoundClaim[]; readonly revision: number }> {
    const { entries, revision } = await this.#deps.store.list(keys.claims(kind, name))
    return { line: lineOf(entries), revision }
  }

  /** The line as this hub last heard of it. */
  seen(kind: ClaimKind, name: string): readonly FoundClaim[] {
    return lineOf(this.#deps.board.entries(`${kind}/${name}`).values())
  }

  /** Every line that has somebody in it, by name, as the store has it now. */
  async lines(kind: ClaimKind): Promise<ReadonlyMap<string, readonly FoundClaim[]>> {
    const { entries } = await this.#deps.store.list(keys.claimsOfAll(kind))
    const byName = Map.groupBy(entries, ({ key }) => key.split('/')[1] ?? '')
    return new Map([...byName].map(([name, of]) => [name, lineOf(of)]))
  }

  async find(kind: ClaimKind, name: string, who: string): Promise<FoundClaim | undefined> {
    const entry = await this.#deps.store.get(keys.claim(kind, name, who))
    return entry && claimOf(entry, undefined)
  }

  /** Takes a claim out of its line; with a revision, only if it is that one. False where there was none. */
  async release(kind: ClaimKind, name: string, who: string, revision?: number): Promise<boolean> {
    const { store } = this.#deps
    const found = await this.find(kind, name, who)
    if (found === undefined || (revision !== undefined && found.revision !== revision)) return false
    const { key, leaseId } = found
    if (found.record.own === true && leaseId !== undefined) {
      // Whoever renews it hears that it has ended.
      await store.lease(leaseId).revoke()
      return true
    }
    const changes = [key, keys.claimValue(key)].map((each) => ({ op: 'delete', key: each }) as const)
    const answer = await store.commit({ expect: [{ key, revision: found.revision }], changes })
    return answer.committed
  }

  /** Lets others know something, for as long as the claim holds. Rejects with `STALE_FENCE` where it does not. */
  async proclaim(fence: Fence, value: unknown): Promise<number> {
    const expect = await this.expectations(fence)
    const { store } = this.#deps
    const leaseId = (await store.get(fence.key))?.leaseId
    if (leaseId === undefined) throw staleFence(fence)
    const put = { op: 'put', key: keys.claimValue(fence.key), value: JSON.stringify({ value }), leaseId } as const
    const answer = await store.commit({ expect, changes: [put] })
    if (!answer.committed) throw staleFence(fence, answer.key)
    return answer.revision
  }

  /**
   * What a write under that fence has to expect of the store. A claim that holds does so until it is gone: so if it held at
   * any time, and its key is there with that revision when the write is committed, then it holds at that moment. So do those that it was
   * put under, which held then. Rejects with `STALE_FENCE`.
   */
  async expectations(fence: Fence): Promise<readonly Expectation[]> {
    const { kind, name, key, revision } = fence
    const claim = heldIn(this.seen(kind, name), fence) ?? heldIn((await this.line(kind, name)).line, fence)
    if (claim === undefined) throw staleFence(fence)
    return [{ key, revision }, ...(claim.record.under ?? [])]
  }

  async #stateInStore({ kind, name, revision }: Asked): Promise<ClaimState | undefined> {
    return stateIn((await this.line(kind, name)).line, revision)
  }

  #checkRoom({ kind, name, by }: Contender): void {
    const { board } = this.#deps
    checkRoom(board, by)
    if (board.entries(`${kind}/${name}`).size < LINE_MAX) return
    throw new FlotillaError('TOO_LARGE', `${LINE_MAX} contend for ${name} already`)
  }

  #isGone(topic: string, { key, revision }: Entry): boolean {
    return this.#deps.board.entries(topic).get(key)?.revision !== revision
  }
}

/** The claim of a fence, where it holds now, and so do those that it was put under. */
export async function holderOf(store: Store, fence: Fence, op: Op): Promise<FoundClaim | undefined> {
  const { entries } = await store.list(keys.claims(fence.kind, fence.name), op)
  const claim = heldIn(lineOf(entries), fence)
  for (const { key, revision } of claim?.record.under ?? []) {
    if ((await store.get(key, op))?.revision !== revision) return undefined
  }
  return claim
}

function ownOf(found: Entry, { session, by }: Contender): PutClaim | undefined {
  const record = JSON.parse(found.value) as ClaimRecord
  if (session === '' || record.session !== session || record.by !== by || found.leaseId === undefined) return undefined
  return { key: found.key, revision: found.revision, leaseId: found.leaseId }
}

function taken({ name, who }: Contender): FlotillaError {
  return new FlotillaError('LOST_RACE', `${who} contends for ${name} already`, {
    hint: 'It ends when its lease does, or is resigned. Each contender needs a name of its own.',
  })
}

/** In order; `value` keys lie beside the claims that they are of. */
function lineOf(entries: Iterable<Entry>): readonly FoundClaim[] {
  const all = [...entries]
  const values = new Map(all.filter(({ key }) => isValue(key)).map(({ key, value }) => [key, value]))
  const claims = all.filter(({ key }) => !isValue(key))
  return inLine(claims.map((entry) => claimOf(entry, values.get(keys.claimValue(entry.key)))))
}

function claimOf({ key, value, revision, leaseId }: Entry, proclaimed: string | undefined): FoundClaim {
  const record = JSON.parse(value) as ClaimRecord
  const said = proclaimed === undefined ? record : (JSON.parse(proclaimed) as { readonly value?: unknown })
  return { key, who: whoOf(key), revision, seats: record.seats, record, leaseId, value: said.value }
}

function isValue(key: string): boolean {
  return key.split('/').length > 3
}

function isAwaited({ holds }: ClaimState, { until }: Asked): boolean {
  return holds && until !== 'gone'
}

function stateIn(line: readonly FoundClaim[], revision: number): ClaimState | undefined {
  const place = placeOf(line, revision)
  if (place === undefined) return undefined
  const { position } = place
  const ahead = line.slice(Math.max(0, position - AHEAD_SHOWN), position).map(({ who }) => who)
  return { ...place, revision, ahead }
}

function heldIn(line: readonly FoundClaim[], { key, revision }: Fence): FoundClaim | undefined {
  return holdersOf(line).find((claim) => claim.key === key && claim.revision === revision)
}
