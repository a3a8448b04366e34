import type { Clock } from '../../../core/clock.ts'
import { messageOf } from '../../../core/errors.ts'
import type { Logger } from '../../../core/log.ts'
import type { Cluster } from '../../../core/routing/cluster.ts'

/** A few small texts by name, that survive the process. */
export interface Memory {
  load(name: string): Promise<string | undefined>
  save(name: string, text: string): Promise<void>
}

export interface Known {
  readonly cluster: Cluster
  /** By name of a host. */
  readonly addresses: Readonly<Record<string, string>>
}

interface Saved extends Known {
  readonly format: 1
  readonly tree: string
}

/** While datasets load, reports come all the time, and any of them would do after a restart. */
const GAP_MS = 10_000

export interface SavedOptions {
  readonly memory: Memory
  readonly proxy: string
  readonly tree: string
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps what was last known of the cluster, so that a proxy is looked after also while no hub can be reached. */
export class SavedCluster {
  readonly #options: SavedOptions
  readonly #name: string
  #last: string | undefined
  #savedMs = Number.NEGATIVE_INFINITY

  constructor(options: SavedOptions) {
    this.#options = options
    this.#name = `proxy.${options.proxy}.json`
  }

  /** Undefined where there is nothing that can be read. */
  async load(): Promise<Known | undefined> {
    const { memory, tree, log } = this.#options
    try {
      const text = await memory.load(this.#name)
      const saved = text === undefined ? undefined : (JSON.parse(text) as Partial<Saved> | null)
      if (saved?.format !== 1 || saved.tree !== tree) return undefined
      const { cluster, addresses } = saved
      return cluster === undefined || addresses === undefined ? undefined : { cluster, addresses }
    } catch (error) {
      log.warn('what was known of the cluster cannot be read', { error: messageOf(error) })
      return undefined
    }
  }

  /** Soon enough: whoever calls this does so every now and then. A full disk keeps no proxy from what it can be told. */
  async save(known: Known): Promise<void> {
    const { memory, tree, clock, log } = this.#options
    if (clock.monotonicMs() - this.#savedMs < GAP_MS) return
    const text = JSON.stringify({ format: 1, tree, ...known } satisfies Saved)
    if (text === this.#last) return
    try {
      await memory.save(this.#name, text)
      this.#last = text
      this.#savedMs = clock.monotonicMs()
    } catch (error) {
      log.warn('what is known of the cluster cannot be kept', { error: messageOf(error) })
    }
  }
}
