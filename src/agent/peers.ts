import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { ObjectReader } from '../core/objects.ts'
import type { Op } from '../core/op.ts'
import type { Entry, Store } from '../core/store.ts'
import type { NodeAlive } from '../core/target.ts'
import { Secret } from '../lib/secret.ts'

export interface PeersOptions {
  /** This node; it does not ask itself. */
  readonly node: string
  readonly store: Store
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** The blobs of one other node. */
  readonly open: (peer: { readonly node: string; readonly url: string; readonly key: Secret }) => ObjectReader
}

/** How long an answer of the store is used. It also is how long a key that was replaced still opens doors. */
const FRESH_MS = 60_000
const UNKNOWN_MS = 5000
/** How many nodes are asked for one blob. */
const ASKED_MAX = 3

/**
 * The other nodes: the key all share, and those that offer their blobs. The store is asked now and then, and while it does not
 * answer, what it said last is used.
 */
export class Peers implements ObjectReader {
  readonly name = 'peers'
  readonly #options: PeersOptions
  readonly #key: Fresh<Secret>
  readonly #readers: Fresh<readonly ObjectReader[]>

  constructor(options: PeersOptions) {
    this.#options = options
    this.#key = new Fresh(options.clock, async (op) => {
      const entry = await options.store.get(keys.peerKey, op)
      return entry && new Secret(entry.value)
    })
    this.#readers = new Fresh(options.clock, async (op) => await this.#find(op))
  }

  /** Undefined while the store has not said it. */
  async key(op: Op): Promise<Secret | undefined> {
    return await this.#key.get(op)
  }

  /** Asks a few other nodes, each time others, so that no node has to serve all. */
  async open(key: string, options: Op & { readonly offset?: number } = {}): Promise<AsyncIterable<Uint8Array>> {
    let last: unknown = new FlotillaError('NOT_FOUND', 'no other node offers its blobs')
    for (const reader of this.#some((await this.#readers.get(options)) ?? [])) {
      try {
        return await reader.open(key, options)
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!isError(error)) throw error
        last = error
      }
    }
    throw last
  }

  async #find(op: Op): Promise<readonly ObjectReader[] | undefined> {
    const { store } = this.#options
    const key = await this.key(op)
    if (key === undefined) return undefined
    const { entries } = await store.list(keys.nodes, op)
    return entries.flatMap((entry) => this.#readerOf(entry, key))
  }

  /** Each node writes its own entry: one that says nonsense is left out, and the others are asked all the same. */
  #readerOf({ key: path, value }: Entry, key: Secret): readonly ObjectReader[] {
    const { node: self, open } = this.#options
    const node = parseNodeKey(path)?.node ?? self
    if (node === self || path !== keys.alive(node)) return []
    try {
      const { peerUrl } = JSON.parse(value) as Partial<NodeAlive>
      return typeof peerUrl === 'string' ? [open({ node, url: peerUrl, key })] : []
    } catch {
      return []
    }
  }

  #some(readers: readonly ObjectReader[]): readonly ObjectReader[] {
    const rest = [...readers]
    const some: ObjectReader[] = []
    while (rest.length > 0 && some.length < ASKED_MAX) {
      some.push(...rest.splice(Math.floor(this.#options.random() * rest.length), 1))
    }
    return some
  }
}

/** A value that is asked for again when it has become old, and kept as it was where that fails. */
class Fresh<T> {
  readonly #clock: Clock
  readonly #ask: (op: Op) => Promise<T | undefined>
  #value: T | undefined
  #untilMs = 0

  constructor(clock: Clock, ask: (op: Op) => Promise<T | undefined>) {
    this.#clock = clock
    this.#ask = ask
  }

  async get(op: Op): Promise<T | undefined> {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs < this.#untilMs) return this.#value
    // Set before asking: those who come meanwhile do not ask as well.
    this.#untilMs = nowMs + UNKNOWN_MS
    try {
      this.#value = (await this.#ask(op)) ?? this.#value
      if (this.#value !== undefined) this.#untilMs = nowMs + FRESH_MS
    } catch (error) {
      op.signal?.throwIfAborted()
      if (!isError(error)) throw error
    }
    return this.#value
  }
}
