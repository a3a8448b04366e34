import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { ChildBook } from '../core/push/ledger.ts'
import { isRefusal } from './sender-faults.ts'

/** So long it is hoped that a child that is not there comes back, such as when it is started again. */
const HOPE_MS = 10_000

interface Failure {
  readonly isRefusal: boolean
  readonly error: string
  readonly hint: string | undefined
}

interface FailingOptions {
  readonly ledger: Pick<ChildBook, 'outdatedBy' | 'keepOutdated'>
  readonly clock: Clock
  readonly log: Logger
  /** As of `SenderOptions`. */
  readonly onOutdated?: (() => void) | undefined
}

/** Why a child cannot be fed just now, where it cannot. */
export class Failing {
  readonly #child: string
  readonly #clock: Clock
  readonly #log: Logger
  readonly #ledger: FailingOptions['ledger']
  readonly #onOutdated: FailingOptions['onOutdated']
  #failure: Failure | undefined
  /** As the ledger has it. */
  #isOutdated: boolean
  /** Of the monotonic clock. */
  #hopeUntilMs: number

  constructor(child: string, { ledger, clock, log, onOutdated }: FailingOptions) {
    this.#child = child
    this.#ledger = ledger
    this.#onOutdated = onOutdated
    this.#clock = clock
    this.#log = log
    this.#isOutdated = ledger.outdatedBy().includes(child)
    this.#hopeUntilMs = clock.monotonicMs() + HOPE_MS
  }

  get now(): Failure | undefined {
    return this.#failure
  }

  /** It is not worth to wait for the child. */
  get isHopeless(): boolean {
    if (this.#failure === undefined) return false
    return this.#failure.isRefusal || this.#hopeUntilMs < this.#clock.monotonicMs()
  }

  /** The child has newer files from elsewhere than this node, which fed it once. Holds until it takes something from here again, also when this node is started anew. */
  get isOutdated(): boolean {
    return this.#isOutdated
  }

  heard(): void {
    this.#hopeUntilMs = this.#clock.monotonicMs() + HOPE_MS
    this.#failure = undefined
    if (this.#isOutdated) this.#keepOutdated(false)
  }

  /** Said once: a child that stays away is no news. One that refuses, and for another reason than before, is. */
  failed(error: unknown, wasFed: boolean): void {
    const text = messageOf(error)
    const hint = isError(error) ? error.details.hint : undefined
    const failure = { isRefusal: isRefusal(error), error: isError(error) ? `${error.code}: ${text}` : text, hint }
    const before = this.#failure
    this.#failure = failure
    if (isError(error, 'OUTDATED') && wasFed && !this.#isOutdated) {
      this.#keepOutdated(true)
      this.#log.error('another node took over from this root, which takes no more writes', { child: this.#child })
    }
    if (before === undefined || (failure.isRefusal && failure.error !== before.error)) {
      this.#log.warn('a child cannot be fed', { child: this.#child, error: text, hint })
    }
  }

  #keepOutdated(isOutdated: boolean): void {
    this.#isOutdated = isOutdated
    this.#ledger.keepOutdated(this.#child, isOutdated)
    this.#onOutdated?.()
  }
}
