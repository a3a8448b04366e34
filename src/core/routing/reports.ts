import type { NodeDatasets } from '../target.ts'
import { isKey } from './key.ts'

/** What a node says of its items. */
export interface Report {
  readonly applied: number
  /** Items that are served may be left out. */
  readonly partial: boolean
  readonly ids: Ids
  /** Items that it does not serve now. */
  readonly troubled: readonly (readonly [item: string, state: 'failed' | 'loading'])[]
}

/** Names of items; nodes that speak of the same ones share one object. */
export interface Ids {
  readonly key: string
  /** Sorted. */
  readonly sorted: readonly string[]
  readonly set: ReadonlySet<string>
}

const NONE: Ids = { key: '', sorted: [], set: new Set() }

/**
 * Reads what nodes report, and remembers what it read: a cluster of fifty nodes with ten thousand items each has half a
 * million states, of which one change moves a few.
 */
export class Reports {
  #now = new Map<string, Report | undefined>()
  #before = new Map<string, Report | undefined>()
  #ids = new Map<string, Ids>()
  #union: { readonly of: ReadonlySet<Ids>; readonly ids: Ids } = { of: new Set(), ids: NONE }

  /** Undefined for a value that cannot be read. */
  of(value: string): Report | undefined {
    if (!this.#now.has(value)) this.#now.set(value, this.#before.get(value) ?? this.#read(value))
    return this.#now.get(value)
  }

  /** Forgets what nobody has asked for since the last time. */
  forget(): void {
    this.#before = this.#now
    this.#now = new Map()
    const used = [...this.#before.values()].flatMap((report) => (report === undefined ? [] : [report.ids]))
    this.#ids = new Map(used.map((ids) => [ids.key, ids]))
  }

  /** All of these together. */
  union(all: Iterable<Ids>): Ids {
    const different = new Set(all)
    const [first = NONE] = different
    if (different.size <= 1) return first
    const { of, ids: last } = this.#union
    if (different.size === of.size && [...different].every((ids) => of.has(ids))) return last
    const ids = idsOf([...different].flatMap(({ sorted }) => sorted))
    this.#union = { of: different, ids }
    return ids
  }

  #read(value: string): Report | undefined {
    const data = parsed(value)
    if (data === undefined) return undefined
    const states = Object.entries(data.items).filter(([item]) => isKey(item))
    const ids = idsOf(states.map(([item]) => item))
    const shared = this.#ids.get(ids.key) ?? ids
    this.#ids.set(shared.key, shared)
    const troubled = states.flatMap(([item, state]) =>
      state === 'failed' || state === 'loading' ? [[item, state] as const] : [],
    )
    return { applied: data.applied, partial: data.partial === true, ids: shared, troubled }
  }
}

function idsOf(items: readonly string[]): Ids {
  const set = new Set(items)
  const sorted = [...set].toSorted()
  return { key: sorted.join(' '), sorted, set }
}

function parsed(value: string): NodeDatasets | undefined {
  try {
    const data = JSON.parse(value) as Partial<NodeDatasets> | null
    return typeof data?.items === 'object' && data.items !== null
      ? { applied: 0, items: data.items, ...data }
      : undefined
  } catch {
    return undefined
  }
}
