import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js'
import type { Clock } from '../../core/clock.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import { API, type Rpc } from './api.ts'
import { EtcdFailure, STATUS } from './etcd-errors.ts'

export interface TlsOptions {
  /** In PEM. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

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

const OPTIONS: ClientOptions = {
  // A call is sent once, and whoever made it decides whether once more.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  // Each store has a connection of its own, and its end is seen as such.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  // A listing is as long as it is; what etcd takes is limited by etcd.
  'grpc.max_receive_message_length': -1,
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
}

/** TLS takes no address where the server's name belongs. */
const UNNAMED: ClientOptions = { 'grpc.ssl_target_name_override': 'etcd' }

interface Underway {
  readonly endsMs: number
  /** Gives the call up. The first reason counts. */
  readonly end: (reason: unknown) => void
}

/**
 * A connection to one member of etcd. It connects by the first call and never again: what has ended stays so. Liveness is
 * an ordinary call every second, since etcd closes connections whose keepalive comes more often than every five
 * (facts: its --grpc-keepalive-min-time), and a frozen member keeps its connections open for ever.
 */
export class EtcdMember {
  readonly url: string
  readonly #options: EtcdMemberOptions
  readonly #client: Client
  readonly #over = new AbortController()
  readonly #underway = new Set<Underway>()
  #silentTicks = 0

  constructor(options: EtcdMemberOptions) {
    this.url = options.url
    this.#options = options
    const { protocol, host, hostname } = new URL(options.url)
    const isEncrypted = protocol === 'https:'
    const proof = isEncrypted ? proofOf(options.tls, hostname) : credentials.createInsecure()
    this.#client = new Client(host, proof, isEncrypted && isIP(hostname) > 0 ? { ...OPTIONS, ...UNNAMED } : OPTIONS)
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
    const { metadata = new Metadata(), signal, limitMs = FOREVER } = options
    signal?.throwIfAborted()
    this.#over.signal.throwIfAborted()
    return await new Promise<A>((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize,
        request,
        metadata,
        (error, answer) => {
          const given = done()
          if (error === null && answer !== undefined) {
            this.#silentTicks = 0
            resolve(answer)
          } else reject(given ? given.reason : this.#failureOf(error))
        },
      )
      const done = this.#keepTrack(() => call.cancel(), signal, limitMs)
    })
  }

  /**
   * Sends one message and yields what comes, until `signal` aborts. What is not read is not taken from the other side.
   * Throws an `EtcdFailure`.
   */
  async *stream<Q, A>(
    rpc: Rpc<Q, A>,
    request: Q,
    { metadata = new Metadata(), signal }: MemberCallOptions,
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
        this.#silentTicks = 0
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
      if (++this.#silentTicks > SILENT_TICKS_MAX) this.#end(this.#away('nothing was heard for some seconds'))
      else if (tick % 2 === 0) this.unary(API.status, {}).catch(() => undefined)
    }
  }

  #end(reason: EtcdFailure): void {
    if (this.isOver) return
    this.#over.abort(reason)
    for (const one of this.#underway) one.end(reason)
    this.#client.close()
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
    if (isOfEtcd) this.#silentTicks = 0
    return new EtcdFailure(code, isOfEtcd ? details : `${this.url}: ${inShort(details)}`, { cause: error })
  }
}

function late(): EtcdFailure {
  return new EtcdFailure(STATUS.DEADLINE_EXCEEDED, 'no answer in time')
}

function proofOf({ ca, cert, key }: TlsOptions, hostname: string): ChannelCredentials {
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
    checkServerIdentity: (_, shown) => checkServerIdentity(hostname, shown),
  })
}

function bytes(pem: string | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem)
}

/** Without what the library adds around the reason. */
function inShort(details: string): string {
  const [, reason] =
    /^No connection established\. Last error: ([^]*?)\s*\([^()]*\)\. Resolution note:/.exec(details) ?? []
  return reason ?? details
}
