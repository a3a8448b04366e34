import { Metadata } from '@grpc/grpc-js'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { Secret } from '../../lib/secret.ts'
import { API, type Rpc } from './api.ts'
import { EtcdFailure, hadNoEffect, isAway, isWithoutLeader, STATUS, wantsNewToken } from './etcd-errors.ts'
import { EtcdMember } from './etcd-member.ts'
import type { TlsOptions } from './tls.ts'

export interface EtcdClientOptions {
  readonly endpoints: readonly string[]
  readonly tls: TlsOptions
  readonly user?: { readonly name: string; readonly password: Secret } | undefined
  readonly clock: Clock
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Twice is as good as once: a lost answer is asked for again, of another member if need be. */
  readonly isRepeatable: boolean
}

/** For the first answer of a member, connecting included. */
const CONNECT_MS = 2000
/** For one attempt: longer than an election takes, so that what waits for one is answered. */
const ATTEMPT_MS = 4000
/** How long attempts are begun. */
const PATIENCE_MS = 5000
const PAUSE_MS = 100

/**
 * Calls of etcd's API, of whichever member answers: it stays with one as long as that answers and has a leader, then goes
 * to the next. Everything goes to one member at a time.
 */
export class EtcdClient {
  readonly #options: EtcdClientOptions
  readonly #closing = new AbortController()
  #next = 0
  #current: Promise<EtcdMember> | undefined
  #token: Promise<Metadata> | undefined

  constructor(options: EtcdClientOptions) {
    this.#options = options
  }

  /** Rejects with an `EtcdFailure`, with the signal's reason, or with `NOT_READY` once it is closed. */
  async call<Q, A>(rpc: Rpc<Q, A>, request: Q, options: CallOptions): Promise<A> {
    const { clock } = this.#options
    const endMs = clock.monotonicMs() + PATIENCE_MS
    for (let newTokens = 0; ;) {
      let member: EtcdMember | undefined
      try {
        member = await this.#member()
        const metadata = await this.#metadata(member)
        return await member.unary(rpc, request, { metadata, signal: options.signal, limitMs: ATTEMPT_MS })
      } catch (error) {
        this.#assertOpen()
        options.signal?.throwIfAborted()
        if (wantsNewToken(error) && this.#options.user !== undefined && newTokens++ < 2) {
          this.#token = undefined
          continue
        }
        if (isAway(error)) member?.close()
        const isSafe = options.isRepeatable || hadNoEffect(error)
        if (!isAway(error) || !isSafe || clock.monotonicMs() > endMs) throw error
        await clock.sleep(PAUSE_MS, options.signal)
      }
    }
  }

  /** What comes on one call of many answers, until `signal` aborts. Throws as `call` does; does not try again. */
  async *stream<Q, A>(rpc: Rpc<Q, A>, request: Q, signal: AbortSignal): AsyncGenerator<A, void> {
    const ended = AbortSignal.any([signal, this.#closing.signal])
    const member = await this.#member()
    try {
      yield* member.stream(rpc, request, { metadata: await this.#metadata(member), signal: ended })
    } catch (error) {
      if (wantsNewToken(error)) this.#token = undefined
      if (isWithoutLeader(error)) member.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new FlotillaError('NOT_READY', 'the store is closed'))
    const member = await this.#current?.catch(() => undefined)
    member?.close()
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted()
  }

  /** The one there is, or a new connection to the first that answers and has a leader. */
  #member(): Promise<EtcdMember> {
    this.#assertOpen()
    const opening = (this.#current ??= this.#open())
    opening.catch(() => this.#forget(opening))
    return opening
  }

  async #open(): Promise<EtcdMember> {
    const { endpoints, tls, clock } = this.#options
    const failures: EtcdFailure[] = []
    for (let tried = 0; tried < endpoints.length; tried++) {
      const url = endpoints[this.#next % endpoints.length] ?? ''
      const member = new EtcdMember({ url, tls, clock, onEnd: (ended) => this.#ended(ended) })
      try {
        const { leader } = await member.unary(API.status, {}, { limitMs: CONNECT_MS })
        if (leader !== '0') {
          member.keep()
          return member
        }
        failures.push(new EtcdFailure(STATUS.UNAVAILABLE, `${url}: the member has no leader`))
      } catch (error) {
        if (!(error instanceof EtcdFailure)) throw error
        failures.push(error)
      }
      // Whichever ends, the next one is tried.
      member.close()
    }
    const message = failures.map((failure) => failure.message).join('; ')
    throw new EtcdFailure(STATUS.UNAVAILABLE, `no member of etcd can be used: ${message}`, { hadNoEffect: true })
  }

  #ended(member: EtcdMember): void {
    this.#next++
    const current = this.#current
    void current?.then((one) => void (one === member && this.#forget(current))).catch(() => undefined)
  }

  #forget(opening: Promise<EtcdMember>): void {
    if (this.#current === opening) this.#current = undefined
  }

  async #metadata(member: EtcdMember): Promise<Metadata> {
    const { user } = this.#options
    if (user === undefined) return WITH_LEADER
    const asking = (this.#token ??= this.#authenticate(member, user))
    asking.catch(() => void (this.#token === asking && (this.#token = undefined)))
    return await asking
  }

  async #authenticate(
    member: EtcdMember,
    { name, password }: { readonly name: string; readonly password: Secret },
  ): Promise<Metadata> {
    const options = { metadata: WITH_LEADER, limitMs: ATTEMPT_MS }
    const { token } = await member.unary(API.authenticate, { name, password: password.reveal() }, options)
    return withLeader(token)
  }
}

/** A member that has no leader answers that, instead of waiting for one that it may not see for hours. */
function withLeader(token?: string): Metadata {
  const metadata = new Metadata()
  metadata.set('hasleader', 'true')
  if (token !== undefined) metadata.set('token', token)
  return metadata
}

const WITH_LEADER = withLeader()
