import { Mirror } from '../agent/mirror.ts'
import { isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Store } from '../core/store.ts'

const NOTHING: ReadonlyMap<string, Entry> = new Map()

/** A copy of the profiles that a token may read, and of what counts besides, where it may read that. */
export class ProfileFeed implements Service {
  readonly name = 'profiles of templates'
  readonly #store: Store
  readonly #node: string | undefined
  readonly #onChange: () => void
  #mirror: Mirror | undefined
  #refusal: unknown

  /** `node`: whose meta is followed too. */
  constructor(store: Store, node: string | undefined, onChange: () => void) {
    this.#store = store
    this.#node = node
    this.#onChange = onChange
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#mirror?.entries ?? NOTHING
  }

  /** Throws why nothing may be known. */
  get isKnown(): boolean {
    if (this.#refusal !== undefined) throw this.#refusal
    return this.#mirror?.revision !== undefined
  }

  /** Reads everything once. */
  async read(op: Op): Promise<void> {
    const mirror = await this.#opened(op)
    await mirror.refresh(op)
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      const mirror = await this.#opened({ signal })
      this.#refusal = undefined
      await mirror.run(signal)
    } catch (error) {
      if (isError(error, 'FORBIDDEN', 'UNAUTHENTICATED')) {
        this.#refusal = error
        this.#onChange()
      }
      throw error
    }
  }

  async #opened(op: Op): Promise<Mirror> {
    this.#mirror ??= new Mirror({
      store: this.#store,
      prefixes: [keys.profiles, ...(await this.#allowed(op))],
      onChange: this.#onChange,
    })
    return this.#mirror
  }

  /** A token for one profile alone may not read defaults, nor what a node says of itself: it does without. */
  async #allowed(op: Op): Promise<readonly string[]> {
    const wanted = [keys.params, ...(this.#node === undefined ? [] : [keys.meta(this.#node)])]
    const allowed: string[] = []
    for (const prefix of wanted) {
      try {
        await this.#store.list(prefix, op)
        allowed.push(prefix)
      } catch (error) {
        if (!isError(error, 'FORBIDDEN')) throw error
      }
    }
    return allowed
  }
}
