import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { Secret } from '../../lib/secret.ts'
import { hadNoEffect, isAway, wantsNewToken } from './etcd-errors.ts'
import { GrpcConnection, type Rpc, type TlsOptions } from './grpc-connection.ts'
import { GRPC, GrpcError } from './grpc-error.ts'
import { decodeStatus, decodeToken, encodeAuthenticate } from './messages.ts'

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

/** For one attempt: longer than an election takes, so that what waits for one is answered. */
const ATTEMPT_MS = 4000
/** How long attempts are begun. */
const PATIENCE_MS = 5000
const PAUSE_MS = 100
const STATUS: Rpc = { path: '/etcdserverpb.Maintenance/Status', message: new Uint8Array() }
/** A member that has no leader answers that, instead of waiting for one that it may not see for hours. */
const WITH_LEADER = { hasleader: 'true' }

/**
 * Calls of etcd's API, of whichever member answers: it stays with one as long as that answers and has a leader, then goes
 * to the next. Everything goes over one connection.
 */
export class EtcdClient {
  readonly #options: EtcdClientOptions
  readonly #closing = new AbortController()
  #next = 0
  #current: Promise<GrpcConnection> | undefined
  #token: Promise<string> | undefined

  constructor(options: EtcdClientOptions) {
    this.#options = options
  }

  /** Rejects with a `GrpcError`, with the signal's reason, or with `NOT_READY` once it is closed. */
  async call(rpc: Rpc, options: CallOptions): Promise<Buffer> {
    const { clock } = this.#options
    const endMs = clock.monotonicMs() + PATIENCE_MS
    for (let newTokens = 0; ;) {
      let connection: GrpcConnection | undefined
      try {
        connection = await this.#connection()
        const metadata = await this.#metadata(connection)
        return await connection.unary(rpc, { metadata, signal: options.signal, limitMs: ATTEMPT_MS })
      } catch (error) {
        this.#assertOpen()
        options.signal?.throwIfAborted()
        if (wantsNewToken(error) && this.#options.user !== undefined && newTokens++ < 2) {
          this.#token = undefined
          continue
        }
        if (isAway(error)) connection?.close()
        const isSafe = options.isRepeatable || hadNoEffect(error)
        if (!isAway(error) || !isSafe || clock.monotonicMs() > endMs) throw error
        await clock.sleep(PAUSE_MS, options.signal)
      }
    }
  }

  /** What comes on one call of many answers, until `signal` aborts. Throws as `call` does; does not try again. */
  async *stream(rpc: Rpc, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const ended = AbortSignal.any([signal, this.#closing.signal])
    const connection = await this.#connection()
    try {
      yield* connection.stream(rpc, { metadata: await this.#metadata(connection), signal: ended })
    } catch (error) {
      if (wantsNewToken(error)) this.#token = undefined
      if (error instanceof GrpcError && error.message === 'etcdserver: no leader') connection.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new FlotillaError('NOT_READY', 'the store is closed'))
    const connection = await this.#current?.catch(() => undefined)
    connection?.close()
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted()
  }

  /** The one there is, or a new one to the first member that answers and has a leader. */
  #connection(): Promise<GrpcConnection> {
    this.#assertOpen()
    const opening = (this.#current ??= this.#open())
    opening.catch(() => this.#forget(opening))
    return opening
  }

  async #open(): Promise<GrpcConnection> {
    const { endpoints, tls, clock } = this.#options
    const failures: GrpcError[] = []
    for (let tried = 0; tried < endpoints.length; tried++) {
      const url = endpoints[this.#next % endpoints.length] ?? ''
      let connection: GrpcConnection | undefined
      try {
        const onEnd = (ended: GrpcConnection): void => this.#ended(ended)
        connection = await GrpcConnection.open({ url, tls, clock, probe: STATUS, onEnd })
        const status = decodeStatus(await connection.unary(STATUS, { metadata: {}, limitMs: ATTEMPT_MS / 2 }))
        if (status.hasLeader) return connection
        failures.push(new GrpcError(GRPC.UNAVAILABLE, `${url}: the member has no leader`))
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error
        failures.push(error)
      }
      // Whichever ends, the next one is tried.
      if (connection === undefined) this.#next++
      else connection.close()
    }
    const message = failures.map((failure) => failure.message).join('; ')
    throw new GrpcError(GRPC.UNAVAILABLE, `no member of etcd can be used: ${message}`, { hadNoEffect: true })
  }

  #ended(connection: GrpcConnection): void {
    this.#next++
    const current = this.#current
    void current?.then((one) => void (one === connection && this.#forget(current))).catch(() => undefined)
  }

  #forget(opening: Promise<GrpcConnection>): void {
    if (this.#current === opening) this.#current = undefined
  }

  async #metadata(connection: GrpcConnection): Promise<Readonly<Record<string, string>>> {
    const { user } = this.#options
    if (user === undefined) return WITH_LEADER
    const asking = (this.#token ??= this.#authenticate(connection, user))
    asking.catch(() => void (this.#token === asking && (this.#token = undefined)))
    return { ...WITH_LEADER, token: await asking }
  }

  async #authenticate(
    connection: GrpcConnection,
    { name, password }: { readonly name: string; readonly password: Secret },
  ): Promise<string> {
    const message = encodeAuthenticate(name, password.reveal()).bytes
    const path = '/etcdserverpb.Auth/Authenticate'
    return decodeToken(await connection.unary({ path, message }, { metadata: WITH_LEADER, limitMs: ATTEMPT_MS }))
  }
}
