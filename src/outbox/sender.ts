import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Growing } from '../core/files/growing.ts'
import type { TreeFiles } from '../core/files/tree-files.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import { Breaker } from '../core/push/breaker.ts'
import type { Child } from '../core/push/child.ts'
import type { ChildView } from '../core/push/distribution.ts'
import type { LedgerRow, OpenLedger } from '../core/push/ledger.ts'
import type { PutOperation } from '../core/push/operation.ts'
import type { Hello, HelloAnswer } from '../core/push/wire.ts'
import type { Service } from '../core/service.ts'
import { Bell } from '../lib/bell.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { type Pace, Parts } from './lanes-body.ts'
import type { RelayBoard } from './sender-relay.ts'
import { Failing } from './sender-failing.ts'
import { HeldBack, isRefusal } from './sender-faults.ts'
import { DeepOnes } from './sender-deep.ts'
import { Anew, BEHIND, Session } from './sender-session.ts'
import { StuckList } from './sender-stuck.ts'
import { Suspects } from './sender-suspects.ts'

export interface SenderOptions {
  readonly child: Child
  readonly ledger: OpenLedger
  readonly files: TreeFiles
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Of what is to be caught up; one for all children of a node. */
  readonly throttle?: Pace | undefined
  /** Shared by the children of a tree that may pass on to each other. */
  readonly relay?: RelayBoard | undefined
  /** What this node says of itself at the moment. */
  readonly hello: () => Hello
  /** Before anything is sent to a child that was greeted: it may have what was lost here. `isNew`: this ledger has never known it. */
  readonly onMet?: ((answer: HelloAnswer, isNew: boolean, op: Op) => Promise<void>) | undefined
  /** Who took over from this node: then no child hears anything from here any more, but who says so. */
  readonly outdatedBy?: (() => string | undefined) | undefined
  /** This node is outdated since now, or is no more. */
  readonly onOutdated?: (() => void) | undefined
  /** Where the child may have that row from elsewhere, it is only offered, so many ms after it was recorded. Undefined: it is sent. */
  readonly offeredAfter?: ((row: LedgerRow, child: HelloAnswer) => number | undefined) | undefined
}

const AGAIN_MS = 1000
/** After so many attempts what a child could not take is not hoped for. */
const HOPED_ATTEMPTS = 3
/** What is known of an operation that a child should have. */
export type Arrival =
  | { readonly state: 'reached' | 'pending' }
  /** `isHopeless`: it is not worth to wait for. */
  | { readonly state: 'failed'; readonly error: string; readonly isHopeless: boolean }

/** Brings everything that is recorded to one child, in order for each key, from where it was left, for as long as it runs. */
export class Sender implements Service {
  readonly name: string
  readonly stuck: StuckList
  /** Rung with the key whenever the child has it, or could not take it. */
  readonly #settled = new Map<string, Bell>()
  readonly #options: SenderOptions
  readonly #breaker = new Breaker()
  readonly #suspects = new Suspects()
  readonly #parts = new Parts()
  readonly #deep = new DeepOnes()
  readonly #recorded = new Bell()
  #anew = new AbortController()
  #session: Session | undefined
  #cursor: number
  #id: string | undefined
  /** What it said of itself last. */
  #answer: HelloAnswer | undefined
  #heardMs: number | undefined
  readonly #failing: Failing
  #sentBytes = 0
  /** Whether the last attempt came as far as the hello. */
  #wasOpen = false

  constructor(options: SenderOptions) {
    const { child, ledger } = options
    const record = ledger.child(child.url)
    this.name = `to child ${child.url}`
    this.stuck = new StuckList(child.url, ledger)
    this.#options = options
    options.relay?.join(child.url, () => this.isFollowing)
    this.#id = record?.id
    this.#cursor = record?.cursor ?? 0
    this.#failing = new Failing(child.url, options)
  }

  /** The child has every row up to there, but for those that are stuck. */
  get cursor(): number {
    return this.#session?.cursor ?? this.#cursor
  }

  get answer(): HelloAnswer | undefined {
    return this.#answer
  }

  get heardMs(): number | undefined {
    return this.#heardMs
  }

  /** Of the whole, else of what it could not take. */
  get error(): string | undefined {
    return this.#failing.now?.error ?? this.stuck.error
  }

  get hint(): string | undefined {
    return this.#failing.now?.hint
  }

  /** This node fed it once, and it has newer files from elsewhere now: what this node says is outdated. */
  get isOutdated(): boolean {
    return this.#failing.isOutdated
  }

  /** Bytes of contents since this process began. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  get state(): ChildView['state'] {
    if (this.#session !== undefined) return this.#session.isInStep ? 'in-step' : 'sending'
    if (this.#failing.now === undefined) return 'waiting'
    return this.#failing.now.isRefusal ? 'refused' : 'unreachable'
  }

  get isConnected(): boolean {
    return this.#session !== undefined
  }

  /** Whether it is connected and lacks nothing of what was recorded before that. */
  get isFollowing(): boolean {
    return this.#session !== undefined && !this.#session.isBehind
  }

  /** A row was recorded. */
  poke(): void {
    this.#recorded.ring()
  }

  /** Takes over to release it when it answers true; what it cannot follow now goes later from its row. */
  follow(growing: Growing, operation: Promise<PutOperation | undefined>): boolean {
    return this.#session?.follow({ growing, operation }) ?? false
  }

  arrival(key: string, position: number): Arrival {
    const stuck = this.stuck.get(key)
    if (stuck !== undefined && stuck.position >= position && stuck.attempts > 0)
      return { state: 'failed', error: stuck.error, isHopeless: stuck.attempts >= HOPED_ATTEMPTS }
    if (this.hasPassed(position) && stuck === undefined) return { state: 'reached' }
    const failure = this.#session === undefined ? this.#failing.now : undefined
    if (failure !== undefined) return { state: 'failed', error: failure.error, isHopeless: this.#failing.isHopeless }
    return { state: 'pending' }
  }

  /** Whether the child said, when it took it, that every node below has it too. */
  isDeep({ key, version }: LedgerRow): boolean {
    return this.#deep.has(key, version)
  }

  /** Resolves when something was settled about that key after the moment of calling, or the connection changed. */
  async settled(key: string, signal: AbortSignal): Promise<void> {
    const bell = this.#settled.get(key) ?? new Bell()
    this.#settled.set(key, bell)
    try {
      await bell.rung({ signal })
    } finally {
      if (bell.isQuiet && this.#settled.get(key) === bell) this.#settled.delete(key)
    }
  }

  /** Sends that row again, also to a child that has answered for it. */
  sendAgain(key: string, position: number, why: string): void {
    this.stuck.owe({ key, position }, why, this.#options.clock.nowMs())
  }

  /** Says hello again, as another says it, and goes on where it was. */
  greetAgain(): void {
    this.#anew.abort(new Anew('it is to be greeted again'))
  }

  /** Whether the child has that row, or it was set aside. */
  hasPassed(position: number): boolean {
    return this.#session?.hasPassed(position) ?? position <= this.#cursor
  }

  /** Offers everything again from the start. */
  beginAnew(): void {
    this.#forget()
    this.#session = undefined
    this.#anew.abort(new Anew('from the start'))
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log, child } = this.#options
    while (!signal.aborted) {
      try {
        await this.#connect(signal)
      } catch (error) {
        if (signal.aborted) break
        if (error instanceof Anew) continue
        const wasFed = this.#id !== undefined && !(error instanceof HeldBack)
        this.#failing.failed(error, wasFed)
        this.#wakeAll()
        // Who can be spoken to, but breaks down, may do so at one operation, which is found by trying.
        const isThere = this.#wasOpen && !isRefusal(error)
        const pauseMs = isThere ? AGAIN_MS * (0.75 + random() / 2) : this.#breaker.failed(random())
        log.debug('a child does not take what it is sent', { child: child.url, pauseMs, error: messageOf(error) })
        await sleepQuietly(clock, pauseMs, AbortSignal.any([signal, this.#anew.signal]))
      }
    }
  }

  /** Never resolves: rejects with what breaks the connection. */
  async #connect(signal: AbortSignal): Promise<void> {
    const { child, hello, outdatedBy } = this.#options
    this.#wasOpen = false
    if (this.#anew.signal.aborted) this.#anew = new AbortController()
    const by = this.isOutdated ? undefined : outdatedBy?.()
    if (by !== undefined) throw new HeldBack(by)
    const stop = AbortSignal.any([signal, this.#anew.signal])
    const answer = await child.hello(hello(), { signal: stop })
    const { id } = answer
    this.#heard(answer)
    const isNew = id !== this.#id
    await this.#options.onMet?.(answer, isNew, { signal: stop })
    if (isNew) {
      this.#forget()
      this.#id = id
      this.#keep(0)
    }
    const session = this.#open(id)
    this.#session = session
    this.#wasOpen = true
    this.#wakeAll()
    try {
      await session.run(stop)
    } finally {
      this.#session = undefined
      this.#wakeAll()
    }
  }

  #open(id: string): Session {
    const { ledger } = this.#options
    const cursor = Math.min(this.#cursor, ledger.position)
    return new Session({
      ...this.#options,
      throttle: this.#options.throttle,
      relay: this.#options.relay,
      stuck: this.stuck,
      suspects: this.#suspects,
      parts: this.#parts,
      recorded: this.#recorded,
      id,
      cursor,
      isOffering: cursor === 0 || ledger.after(cursor, BEHIND.rows + 1).length > BEHIND.rows,
      offeredAfter: (row) => this.#answer && this.#options.offeredAfter?.(row, this.#answer),
      onSent: (bytes) => (this.#sentBytes += bytes),
      onHeard: (answer) => {
        this.#breaker.succeeded()
        this.#heard(answer)
      },
      onOutcome: (operation, outcome) => this.#deep.note(operation, outcome),
      onCursor: (at) => this.#keep(at),
      onSettled: (key) => this.#settled.get(key)?.ring(),
    })
  }

  #keep(cursor: number): void {
    const { ledger, child } = this.#options
    if (this.#id === undefined || (cursor === this.#cursor && cursor !== 0)) return
    this.#cursor = cursor
    ledger.keep(child.url, { id: this.#id, cursor })
  }

  #heard(answer = this.#answer): void {
    this.#answer = answer
    this.#heardMs = this.#options.clock.nowMs()
    this.#failing.heard()
  }

  /** Nothing is known any more of what it has. */
  #forget(): void {
    this.stuck.clear()
    this.#id = undefined
    this.#cursor = 0
  }

  #wakeAll(): void {
    for (const bell of this.#settled.values()) bell.ring()
  }
}
