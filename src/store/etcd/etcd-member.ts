import { type Client, connectivityState, Metadata, type ServiceError } from '@grpc/grpc-js'
import type { Clock } from '../../core/clock.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import { API, type Rpc } from './api.ts'
import { EtcdFailure, STATUS } from './etcd-errors.ts'
import { clientOf } from './grpc-client.ts'
import { Lane } from './lane.ts'
import type { TlsOptions } from './tls.ts'

export interface EtcdMemberOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string
  readonly tls: TlsOptions
  readonly clock: Clock
  /** Told once, when the connection is over, by whatever cause. */
  readonly onEnd: (member: EtcdMember) => void
}

export interface MemberCallOptions {
  readonly metadata?: Metadata
  readonly signal?: AbortSignal | undefined
  /** For the whole answer. */
  readonly limitMs?: number
}

const TICK_MS = 500
/** Nothing was heard for this many ticks: the other side is gone, whatever TCP thinks. */
const SILENT_TICKS_MAX = 6
const FOREVER = Infinity
/** Its calls, which a hub makes for every request, have a connection of their own. */
const HOT_SERVICE = '/etcdserverpb.KV/'

interface Underway {
  readonly endsMs: number
  /** Gives the call up. The first reason counts. */
  readonly end: (reason: unknown) => void
}

/**
 * What connects to one member of etcd: a connection of the library's, and one for the calls that every request makes, which
 * cost half there. Each connects by its first call and never again: where one is over, all is. Liveness is
 * an ordinary call every second, since etcd closes connections whose keepalive comes more often than every five
 * (facts: its --grpc-keepalive-min-time), and a frozen member keeps its connections open for ever.
 */
export class EtcdMember {
  readonly url: string
  readonly #options: EtcdMemberOptions
  readonly #client: Client
  readonly #over = new AbortController()
  readonly #underway = new Set<Underway>()
  /** Ticks in which nothing was heard, by connection. */
  readonly #silent = { library: 0, lane: 0 }
  #lane: Lane | undefined

  constructor(options: EtcdMemberOptions) {
    this.url = options.url
    this.#options = options
    this.#client = clientOf(options.url, options.tls)
    void this.#look()
  }

  get isOver(): boolean {
    return this.#over.signal.aborted
  }

  /** From now on a lost connection is the end. To be called once something was answered. */
  keep(): void {
    this.#client.getChannel().watchConnectivityState(connectivityState.READY, FOREVER, () => {
      this.#end(this.#away('the connection was closed'))
    })
  }

  /**
   * One message each way, also of a call that could have more: on the wire they are the same. Rejects with an
   * `EtcdFailure`, or with the signal's reason.
   */
  async unary<Q, A>(rpc: Rpc<Q, A>, request: Q, options: MemberCallOptions = {}): Promise<A> {
    options.signal?.throwIfAborted()
    this.#over.signal.throwIfAborted()
    return await (rpc.path.startsWith(HOT_SERVICE)
      ? this.#byLane(rpc, request, options)
      : this.#byLibrary(rpc, request, options))
  }

  #byLibrary<Q, A>(
    { path, requestSerialize, responseDeserialize }: Rpc<Q, A>,
    request: Q,
    { metadata = NONE, signal, limitMs = FOREVER }: MemberCallOptions,
  ): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      const client = this.#client
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        (error, answer) => {
          const given = done()
          if (error === null && answer !== undefined) {
            this.#silent.library = 0
            resolve(answer)
          } else reject(given ? given.reason : this.#failureOf(error))
        },
      )
      const done = this.#keepTrack(() => call.cancel(), signal, limitMs)
    })
  }

  #byLane<Q, A>(
    { path, requestSerialize, responseDeserialize }: Rpc<Q, A>,
    request: Q,
    { metadata = NONE, signal, limitMs = FOREVER }: MemberCallOptions,
  ): Promise<A> {
    this.#lane ??= new Lane({
      url: this.url,
      tls: this.#options.tls,
      onHeard: () => void (this.#silent.lane = 0),
      onEnd: (failure) => this.#end(failure),
    })
    const lane = this.#lane
    return new Promise<A>((resolve, reject) => {
      const call = {
        path,
        metadata: metadata.getMap() as Readonly<Record<string, string>>,
        message: requestSerialize(request),
      }
      const cancel = lane.ask(call, (answer) => {
        const given = done()
        if (answer instanceof EtcdFailure) reject(given ? given.reason : answer)
        else {
          try {
            resolve(responseDeserialize(answer))
          } catch (error) {
            reject(this.#failureOf(error))
          }
        }
      })
      const done = this.#keepTrack(cancel, signal, limitMs)
    })
  }

  /**
   * Sends one message and yields what comes, until `signal` aborts. What is not read is not taken from the other side.
   * Throws an `EtcdFailure`.
   */
  async *stream<Q, A>(
    rpc: Rpc<Q, A>,
    request: Q,
    { metadata = NONE, signal }: MemberCallOptions,
  ): AsyncGenerator<A, void> {
    const isEnded = (): boolean => signal?.aborted === true
    if (isEnded()) return
    this.#over.signal.throwIfAborted()
    const { path, requestSerialize, responseDeserialize } = rpc
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
    const done = this.#keepTrack(() => call.cancel(), signal, FOREVER)
    // Whoever stops reading hears of the end of it here only.
    call.on('error', () => undefined)
    let given: { readonly reason: unknown } | undefined
    try {
      // Left open on this side: etcd ends a watch whose client has said all it will say.
      call.write(request)
      for await (const message of call as AsyncIterable<A>) {
        this.#silent.library = 0
        yield message
      }
      given = done()
      if (!isEnded()) throw given?.reason ?? this.#away('the answer broke off')
    } catch (error) {
      given ??= done()
      if (!isEnded()) throw given ? given.reason : this.#failureOf(error)
    } finally {
      done()
      call.cancel()
    }
  }

  /** Ends it, with everything that is under way. */
  close(): void {
    this.#end(this.#away('the connection was given up'))
  }

  /** Answers what is to be called when the call is over; that answers why it was given up, if it was. */
  #keepTrack(
    cancel: () => void,
    signal: AbortSignal | undefined,
    limitMs: number,
  ): () => { readonly reason: unknown } | undefined {
    let given: { readonly reason: unknown } | undefined
    const end = (reason: unknown): void => {
      if (given !== undefined) return
      given = { reason }
      cancel()
    }
    const one: Underway = { endsMs: this.#options.clock.monotonicMs() + limitMs, end }
    const abort = (): void => end(signal?.reason)
    this.#underway.add(one)
    signal?.addEventListener('abort', abort, { once: true })
    return () => {
      this.#underway.delete(one)
      signal?.removeEventListener('abort', abort)
      return given
    }
  }

  /** While it lasts: gives up calls whose time is over, and itself when the other side is silent. */
  async #look(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#over
    // Ticks are counted, not time: a process that itself stood still has not heard what waits in its sockets.
    for (let tick = 0; await sleepQuietly(clock, TICK_MS, signal); tick++) {
      const nowMs = clock.monotonicMs()
      for (const one of this.#underway) if (one.endsMs <= nowMs) one.end(late())
      this.#silent.library++
      if (this.#lane !== undefined) this.#silent.lane++
      if (Math.max(this.#silent.library, this.#silent.lane) > SILENT_TICKS_MAX)
        this.#end(this.#away('nothing was heard for some seconds'))
      else if (tick % 2 === 0) this.#probe()
    }
  }

  /** Whatever is answered. */
  #probe(): void {
    this.#byLibrary(API.status, {}, {}).catch(() => undefined)
    if (this.#lane !== undefined) this.#byLane(API.status, {}, {}).catch(() => undefined)
  }

  #end(reason: EtcdFailure): void {
    if (this.isOver) return
    this.#over.abort(reason)
    for (const one of this.#underway) one.end(reason)
    this.#client.close()
    this.#lane?.close()
    this.#options.onEnd(this)
  }

  #away(why: string): EtcdFailure {
    return new EtcdFailure(STATUS.UNAVAILABLE, `${this.url}: ${why}`)
  }

  #failureOf(error: unknown): EtcdFailure {
    if (error instanceof EtcdFailure) return error
    const { code = STATUS.UNAVAILABLE, details = String(error) } = (error ?? {}) as Partial<ServiceError>
    // What etcd itself says, it says in its name.
    const isOfEtcd = details.startsWith('etcdserver:')
    if (isOfEtcd) this.#silent.library = 0
    return new EtcdFailure(code, isOfEtcd ? details : `${this.url}: ${inShort(details)}`, { cause: error })
  }
}

const NONE = new Metadata()

function late(): EtcdFailure {
  return new EtcdFailure(STATUS.DEADLINE_EXCEEDED, 'no answer in time')
}

/** Without what the library adds around the reason. */
function inShort(details: string): string {
  const [, reason] =
    /^No connection established\. Last error: ([^]*?)\s*\([^()]*\)\. Resolution note:/.exec(details) ?? []
  return reason ?? details
}
