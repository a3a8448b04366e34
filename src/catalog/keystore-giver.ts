import { Mirror } from '../agent/mirror.ts'
import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { together } from '../lib/together.ts'
import { Wake } from '../lib/wake.ts'
import { giveKeystore, type Handover, parseRequest, removeSealed } from './seals.ts'

export interface KeystoreGiverOptions {
  readonly tree: string
  readonly node: string
  readonly dataDirectory: string
  /** Whether nodes of the cluster get it without anybody's word. */
  readonly share: boolean
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
}

const AGAIN_MS = 5000
const IDLE_MS = 3_600_000

/** Gives the keystore to nodes that ask for it, where that is allowed, and removes what it gave once it was taken. */
export class KeystoreGiver implements Service {
  readonly name: string
  readonly #options: KeystoreGiverOptions
  readonly #mirror: Mirror
  readonly #wake: Wake<'seal'>
  /** Requests that were answered, or cannot be. */
  readonly #done = new Set<string>()

  constructor(options: KeystoreGiverOptions) {
    this.#options = options
    this.name = `keystore ${options.tree}`
    this.#wake = new Wake(options.clock)
    const onChange = (): void => this.#wake.poke('seal')
    this.#mirror = new Mirror({ store: options.store, prefixes: [keys.seals], onChange })
  }

  async run(signal: AbortSignal): Promise<void> {
    await together(
      [async (either) => await this.#mirror.run(either), async (either) => await this.#work(either)],
      signal,
    )
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isDone = await this.#look(signal)
      await this.#wake.wait({ ms: isDone ? IDLE_MS : AGAIN_MS, signal })
    }
  }

  /** Answers whether nothing is left to do. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { tree, node, log } = this.#options
    let isDone = true
    const entries = [...this.#mirror.entries.values()]
    for (const { key, value } of entries) {
      const [, receiver = '', of, another] = key.split('/')
      const request = of === tree && another === undefined ? parseRequest(value) : undefined
      if (request?.from !== node) continue
      const handover = { tree, giver: node, receiver }
      try {
        if (request.took === true) await this.#remove(handover, signal)
        else await this.#give(handover, request, signal)
      } catch (error) {
        if (signal.aborted) return true
        isDone = false
        log.warn('the keystore could not be given', { receiver, error: messageOf(error) })
        // What only a person can put right is not tried again.
        if (isError(error) && !isError(error, 'UNREACHABLE', 'NOT_READY', 'LEASE_ENDED')) this.#done.add(request.id)
      }
    }
    return isDone
  }

  async #give(handover: Handover, request: NonNullable<ReturnType<typeof parseRequest>>, signal: AbortSignal) {
    const { share, dataDirectory, log } = this.#options
    if (!share || this.#done.has(request.id)) return
    await giveKeystore(this.#options, handover, { request, dataDirectory, code: undefined }, { signal })
    this.#done.add(request.id)
    log.info('gave the keystore to a node that asked for it', { receiver: handover.receiver })
  }

  async #remove(handover: Handover, signal: AbortSignal): Promise<void> {
    const { tree, giver, receiver } = handover
    if (this.#mirror.entries.has(keys.sealed(giver, tree, receiver)))
      await removeSealed(this.#options, handover, { signal })
  }
}
