import { randomUUID } from 'node:crypto'
import type { CoordinationClient } from '../client/coordination-client.ts'
import { LeaseKeeper } from '../client/lease-keeper.ts'
import type { ClaimAnswer, ClaimRequest } from '../core/api-coordination.ts'
import type { ClaimKind } from '../core/coordination/claims.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { clean } from '../lib/clean.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Child } from './child.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import { plural, span } from './format.ts'
import { asking, endOf, firstEndOf, pollMs } from './asking.ts'

export interface Holding {
  readonly kind: ClaimKind
  readonly name: string
  readonly request: Omit<ClaimRequest, 'session' | 'ttlMs' | 'waitMs' | 'lease'>
  readonly ttlMs: number
  readonly graceMs: number
  /** How long to wait for it at most; for ever unless told. */
  readonly timeoutMs: number | undefined
  readonly command: readonly string[]
}

/** What is kept between the last moment at which a command may run and the end of the lease, as a share of it. */
const MARGIN = 0.05
/** A lease that may be older than this share of it is renewed before it is relied on. */
const OLD = 0.1
const TAKEN_MS = 250
/** For a command whose claim was taken away: another may hold already. */
const SHORT_MS = 200
const GONE_MS = 5000

/** Contends, waits, runs the command while it holds, and lets go. Answers the command's exit code, 3 when the time was over before it held, 5 when it was lost. */
export async function runHeld(holding: Holding, hub: Hub, context: Context): Promise<number> {
  const { clock, output } = context
  const endMs = endOf(clock, holding.timeoutMs)
  for (;;) {
    const claim = await Claim.put(holding, hub.coordination, context, endMs)
    if (claim === undefined) return tellLate(holding, '', context)
    try {
      const state = await claim.untilHeld(endMs)
      if (state === 'ended') {
        output.note(`the place in the line was lost, because the hub could not be reached in time: contending again`)
        continue
      }
      if (!state.holds) return tellLate(holding, ` behind ${state.ahead.join(', ')}`, context)
      return await runUnder(claim, state.fence, holding, hub, context)
    } finally {
      await claim.letGo()
    }
  }
}

function tellLate({ name, timeoutMs = 0 }: Holding, behind: string, { output }: Context): number {
  output.note(clean(`${name} could not be had within ${span(timeoutMs)}: still waiting${behind}`))
  return 3
}

/** A claim with the lease that it is put under, which is renewed until it is let go. */
class Claim {
  readonly keeper: LeaseKeeper
  readonly kept: Promise<void>
  onKept: (safeUntilMs: number) => void = () => undefined
  readonly #holding: Holding
  readonly #client: CoordinationClient
  readonly #context: Context
  readonly #answer: ClaimAnswer
  readonly #stop = new AbortController()

  private constructor(
    holding: Holding,
    client: CoordinationClient,
    context: Context,
    answer: ClaimAnswer,
    sentMs: number,
  ) {
    const { lease = '' } = answer
    const { clock } = context
    this.#holding = holding
    this.#client = client
    this.#context = context
    this.#answer = answer
    const renew = (signal: AbortSignal): Promise<void> => client.renew(lease, { signal })
    this.keeper = new LeaseKeeper({ clock, ttlMs: holding.ttlMs, sentMs, renew, onKept: (at) => this.onKept(at) })
    this.kept = this.keeper.run(this.#stop.signal)
  }

  /** Undefined when the time was over while somebody of the same name was still there. */
  static async put(
    holding: Holding,
    client: CoordinationClient,
    context: Context,
    endMs: number,
  ): Promise<Claim | undefined> {
    const { kind, name, request, ttlMs } = holding
    const { clock, signal } = context
    const session = randomUUID()
    const startedMs = clock.monotonicMs()
    const firstEndMs = firstEndOf(clock, endMs)
    for (;;) {
      try {
        const answer = await asking(context, firstEndMs, () =>
          client.contend(kind, name, { ...request, session, ttlMs, waitMs: 0 }, { signal }),
        )
        let sentMs = startedMs
        // It may be the answer to any request since then: how long its lease lasts is known when it was renewed.
        if (clock.monotonicMs() - startedMs > ttlMs * OLD) {
          await asking(context, firstEndOf(clock, endMs), () => {
            sentMs = clock.monotonicMs()
            return client.renew(answer.lease ?? '', { signal })
          })
        }
        return new Claim(holding, client, context, answer, sentMs)
      } catch (error) {
        if (!isError(error, 'LOST_RACE', 'LEASE_ENDED')) throw error
        if (clock.monotonicMs() >= endMs) return undefined
        context.output.progress(`waiting until ${request.who} of before is gone`)
        await clock.sleep(TAKEN_MS, signal)
      }
    }
  }

  /** `ended` where its lease has gone meanwhile. */
  async untilHeld(endMs: number): Promise<ClaimAnswer | 'ended'> {
    const { kind, name, request } = this.#holding
    const { clock, output, signal } = this.#context
    let answer = this.#answer
    const { revision } = answer
    while (!answer.holds && clock.monotonicMs() < endMs) {
      output.progress(`waiting for ${name} behind ${plural(answer.position, 'other')}`)
      const waitMs = pollMs(clock, endMs)
      const ask = asking(this.#context, endMs, () =>
        this.#client.claim(kind, name, request.who, { revision, waitMs }, { signal }),
      )
      const next = await Promise.race([ask.catch(endedOr), this.kept.then(() => 'ended' as const)])
      if (next === 'ended') return next
      answer = next
    }
    return answer
  }

  /** Resolves when somebody has taken the claim away; never where it only cannot be asked. */
  async untilGone(stop: AbortSignal): Promise<void> {
    const { kind, name, request } = this.#holding
    const { clock } = this.#context
    const query = { revision: this.#answer.revision, waitMs: pollMs(clock, Infinity), until: 'gone' } as const
    for (;;) {
      try {
        await this.#client.claim(kind, name, request.who, query, { signal: stop })
      } catch (error) {
        if (isError(error, 'LEASE_ENDED')) return
        if (stop.aborted) await new Promise<never>(() => undefined)
        await sleepQuietly(clock, TAKEN_MS, stop)
      }
    }
  }

  /** Ends the lease, and with it the claim. Where the hub cannot be told, it ends by itself. */
  async letGo(): Promise<void> {
    this.#stop.abort()
    await this.kept
    if (this.keeper.safeUntilMs === 0) return
    const { clock } = this.#context
    const endMs = Math.min(this.keeper.safeUntilMs, clock.monotonicMs() + GONE_MS)
    const quiet = { ...this.#context, signal: new AbortController().signal }
    await asking(quiet, endMs, () => this.#client.revoke(this.#answer.lease ?? '')).catch(() => undefined)
  }
}

function endedOr(error: unknown): 'ended' {
  if (isError(error, 'LEASE_ENDED')) return 'ended'
  throw error
}

async function runUnder(claim: Claim, fence: string, holding: Holding, hub: Hub, context: Context): Promise<number> {
  const { ttlMs, graceMs, command, name } = holding
  const { clock, cwd, output } = context
  const env = { ...context.env, FLOTILLA_FENCE: fence, FLOTILLA_URL: hub.url, FLOTILLA_TOKEN_FILE: hub.tokenFile }
  const lastMs = (): number => claim.keeper.safeUntilMs - ttlMs * MARGIN
  const over = new AbortController()
  const child = await Child.start({ command, env, cwd, clock, graceMs })
  try {
    child.mustEndBy(lastMs())
    claim.onKept = () => child.mustEndBy(lastMs())
    const late = untilLate(() => lastMs() - graceMs, claim, context)
    const gone = claim.untilGone(over.signal).then(() => 'gone' as const)
    const end = await Promise.race([child.ended, late, gone])
    if (typeof end === 'number') return end
    const why = end === 'gone' ? 'was taken away' : 'may be lost: its lease could not be renewed in time'
    output.note(clean(`${name} ${why}. The command is stopped.`))
    await child.stop(end === 'gone' ? clock.monotonicMs() + SHORT_MS : lastMs())
    await child.ended
    throw new FlotillaError('STALE_FENCE', `${name} was lost while the command ran, which was stopped`, {
      hint: 'What it wrote under its fence until then is whole; what came later was refused. Run it again.',
    })
  } finally {
    over.abort()
    claim.onKept = () => undefined
    await child.close()
  }
}

/** Resolves when the moment has come that renewals put off, or the lease has ended. */
async function untilLate(moment: () => number, claim: Claim, { clock }: Context): Promise<'lost'> {
  const over = new AbortController()
  const ending = async (): Promise<void> => {
    await claim.kept
    over.abort()
  }
  void ending()
  while (!over.signal.aborted && clock.monotonicMs() < moment()) {
    await sleepQuietly(clock, Math.max(1, moment() - clock.monotonicMs()), over.signal)
  }
  return 'lost'
}
