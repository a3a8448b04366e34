import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import { clean } from '../clean.ts'
import { wordsOf } from '../connection-words.ts'
import type { Secret } from '../secret.ts'
import { sleepQuietly, withDeadline } from '../waiting.ts'
import type { BrokerAddress } from './address.ts'
import { encodeFrame, type Frame, FrameReader } from './frame.ts'

export interface StompLogin {
  readonly user: string
  readonly password: Secret
  /** Certificates in PEM that the broker's is checked against; the system's when absent. */
  readonly ca?: string | undefined
  readonly clock: Clock
  /** Larger bodies of messages are not kept. */
  readonly bodyMax: number
}

export interface Subscribing {
  readonly destination: string
  readonly headers?: Readonly<Record<string, string>>
  /** How many messages may be on their way. */
  readonly prefetch: number
  /** The message is acknowledged when this returns. What it throws ends the connection. */
  readonly take: (message: Frame) => void
}

const CONNECT_MS = 5000
/** A broker that stands still counts as gone after twice this. */
const HEARTBEAT_MS = 10_000
/** One that is alive but takes nothing, because it is full, counts as gone as well. */
const RECEIPT_MS = 30_000
const GOODBYE_MS = 2000
const WORDS_MAX = 300

/** Connects to one broker and logs in. Rejects with `UNREACHABLE` and why, also when the signal is aborted before. */
export async function connectStomp(
  broker: BrokerAddress,
  login: StompLogin,
  signal: AbortSignal,
): Promise<StompConnection> {
  const connection = new StompConnection(socketTo(broker, login.ca), login)
  const cancel = (): void => connection.fail(signal.reason)
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  try {
    await withDeadline(login.clock, CONNECT_MS, async (late) => {
      late.addEventListener('abort', () => connection.fail(late.reason), { once: true })
      await connection.login(broker.host)
    })
  } finally {
    // From here on whoever has the connection ends it, and says goodbye.
    signal.removeEventListener('abort', cancel)
  }
  return connection
}

function socketTo({ host, port, isEncrypted }: BrokerAddress, ca: string | undefined): Socket {
  const socket = isEncrypted
    ? connectTls({ host, port, ...(ca !== undefined && { ca }), ...(isIP(host) === 0 && { servername: host }) })
    : connectTcp({ host, port })
  return socket.setNoDelay(true).setKeepAlive(true, HEARTBEAT_MS)
}

/** One connection, from login to end. It does not come back: whoever wants another one makes it. */
export class StompConnection {
  readonly #socket: Socket
  readonly #login: StompLogin
  readonly #over = new AbortController()
  readonly #greeting = Promise.withResolvers<Frame>()
  readonly #receipts = new Map<string, PromiseWithResolvers<void>>()
  readonly #takers = new Map<string, Subscribing['take']>()
  #count = 0
  #heardMs: number

  /** Of a socket that is connecting. */
  constructor(socket: Socket, login: StompLogin) {
    this.#socket = socket
    this.#login = login
    this.#heardMs = login.clock.monotonicMs()
    this.#greeting.promise.catch(() => undefined)
    const reader = new FrameReader(login.bodyMax, (frame) => this.#take(frame))
    socket.on('data', (chunk: Buffer) => {
      this.#heardMs = login.clock.monotonicMs()
      try {
        if (!this.#over.signal.aborted) reader.push(chunk)
      } catch (error) {
        this.fail(error)
      }
    })
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the broker closed the connection')))
  }

  /** Aborted when the connection is over; the reason is a `FlotillaError` that says why. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  async login(host: string): Promise<void> {
    const { user, password } = this.#login
    const beat = `${HEARTBEAT_MS},${HEARTBEAT_MS}`
    const names = { 'accept-version': '1.2', host, 'heart-beat': beat }
    this.#write(encodeFrame('CONNECT', { ...names, login: user, passcode: password.reveal() }))
    const { headers } = await this.#greeting.promise
    const [sends = 0, wants = 0] = (headers.get('heart-beat') ?? '').split(',').map(Number)
    if (wants > 0) void this.#beat(Math.max(wants, HEARTBEAT_MS) / 2)
    if (sends > 0) void this.#watch(Math.max(sends, HEARTBEAT_MS) * 2)
  }

  /** Resolves when the broker has it. */
  async send(destination: string, headers: Readonly<Record<string, string>>, body: string): Promise<void> {
    await this.#acknowledged('SEND', { ...headers, destination }, body)
  }

  /** Resolves when messages are on their way. */
  async subscribe({ destination, headers, prefetch, take }: Subscribing): Promise<void> {
    const id = String(++this.#count)
    this.#takers.set(id, take)
    const own = { id, destination, ack: 'client-individual', 'activemq.prefetchSize': String(prefetch) }
    await this.#acknowledged('SUBSCRIBE', { ...headers, ...own })
  }

  /** Says goodbye, so that the broker knows what was acknowledged; cuts where it does not answer. */
  async close(): Promise<void> {
    const patience = new AbortController()
    const goodbye = this.#acknowledged('DISCONNECT', {}).catch(() => undefined)
    await Promise.race([goodbye, sleepQuietly(this.#login.clock, GOODBYE_MS, patience.signal)])
    patience.abort()
    this.fail(new Error('closed'))
  }

  /** Ends it. Only the first cause counts. */
  fail(cause: unknown): void {
    if (this.#over.signal.aborted) return
    const words = clean(wordsOf(cause)).slice(0, WORDS_MAX)
    const error = new FlotillaError('UNREACHABLE', words, { cause })
    this.#over.abort(error)
    this.#socket.destroy()
    this.#greeting.reject(error)
    for (const { reject } of this.#receipts.values()) reject(error)
    this.#receipts.clear()
  }

  async #acknowledged(command: string, headers: Readonly<Record<string, string>>, body?: string): Promise<void> {
    this.#over.signal.throwIfAborted()
    const receipt = `r${++this.#count}`
    const frame = encodeFrame(command, { ...headers, receipt }, body)
    const waiting = Promise.withResolvers<void>()
    this.#receipts.set(receipt, waiting)
    this.#write(frame)
    await withDeadline(this.#login.clock, RECEIPT_MS, async (signal) => {
      const full = new Error(`the broker has not taken a ${command} for ${RECEIPT_MS / 1000} s; it may be full`)
      signal.addEventListener('abort', () => this.fail(full), { once: true })
      await waiting.promise
    })
  }

  #take(frame: Frame): void {
    const { command, headers } = frame
    if (command === 'CONNECTED') this.#greeting.resolve(frame)
    else if (command === 'RECEIPT') this.#settle(headers.get('receipt-id') ?? '')
    else if (command === 'MESSAGE') this.#deliver(frame)
    // Its body may be a stack trace of the broker, and quote what was sent.
    else if (command === 'ERROR')
      this.fail(new Error(`the broker refused: ${headers.get('message') ?? 'no reason given'}`))
  }

  #settle(receipt: string): void {
    this.#receipts.get(receipt)?.resolve()
    this.#receipts.delete(receipt)
  }

  #deliver(message: Frame): void {
    const { headers } = message
    this.#takers.get(headers.get('subscription') ?? '')?.(message)
    const id = headers.get('ack')
    if (id !== undefined) this.#write(encodeFrame('ACK', { id }))
  }

  async #beat(everyMs: number): Promise<void> {
    while (await sleepQuietly(this.#login.clock, everyMs, this.over)) this.#write(Buffer.from('\n'))
  }

  async #watch(patienceMs: number): Promise<void> {
    const { clock } = this.#login
    while (await sleepQuietly(clock, patienceMs / 4, this.over)) {
      if (clock.monotonicMs() - this.#heardMs > patienceMs)
        this.fail(new Error(`the broker has been silent for ${patienceMs / 1000} s`))
    }
  }

  #write(bytes: Buffer): void {
    if (!this.#over.signal.aborted) this.#socket.write(bytes)
  }
}
