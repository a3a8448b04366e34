import type { Batch, Change } from '../../core/store.ts'

export interface LogLimits {
  /** How many commits are held, from 1 on. */
  readonly revisions: number
  /** How much they may weigh together, in characters of keys and values. The newest is held whatever its weight. */
  readonly bytes: number
}

/** The newest commits, in memory: what many watches read from, each at its own place. */
export class ChangeLog {
  readonly #limits: LogLimits
  /** A ring: the commit of a revision has its slot at the revision modulo the length. */
  readonly #slots: (Batch | undefined)[]
  #oldest: number
  #newest: number
  #bytes = 0

  /** Empty, after a commit of revision `newest` that it does not hold. */
  constructor(limits: LogLimits, newest: number) {
    this.#limits = limits
    this.#slots = Array.from({ length: limits.revisions })
    this.#oldest = newest + 1
    this.#newest = newest
  }

  get newest(): number {
    return this.#newest
  }

  /** The first revision held; one more than the newest when there is none. */
  get oldest(): number {
    return this.#oldest
  }

  /** The commit of `revision`, if it is held. */
  get(revision: number): Batch | undefined {
    if (revision < this.#oldest || revision > this.#newest) return undefined
    return this.#slots[revision % this.#slots.length]
  }

  /** Adds the commit of the next revision and drops the oldest ones that no longer fit. */
  append(batch: Batch): void {
    if (this.#newest - this.#oldest + 1 === this.#limits.revisions) this.#drop()
    this.#newest = batch.revision
    this.#slots[batch.revision % this.#slots.length] = batch
    this.#bytes += weightOf(batch)
    while (this.#bytes > this.#limits.bytes && this.#oldest < this.#newest) this.#drop()
  }

  #drop(): void {
    const slot = this.#oldest % this.#slots.length
    const batch = this.#slots[slot]
    this.#slots[slot] = undefined
    this.#oldest++
    if (batch !== undefined) this.#bytes -= weightOf(batch)
  }
}

/** The part of a commit that lies under one of `prefixes`; undefined if there is none. */
export function within(batch: Batch, prefixes: readonly string[]): Batch | undefined {
  const changes = batch.changes.filter((change) => isUnder(keyOf(change), prefixes))
  if (changes.length === 0) return undefined
  return changes.length === batch.changes.length ? batch : { revision: batch.revision, changes }
}

export function touches(batch: Batch, prefixes: readonly string[]): boolean {
  return batch.changes.some((change) => isUnder(keyOf(change), prefixes))
}

function isUnder(key: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix))
}

function keyOf(change: Change): string {
  return change.op === 'put' ? change.entry.key : change.key
}

function weightOf({ changes }: Batch): number {
  let weight = 0
  for (const change of changes) {
    weight += change.op === 'put' ? change.entry.key.length + change.entry.value.length : change.key.length
  }
  return weight
}
