import { FlotillaError } from '../../../src/core/errors.ts'
import type { Batch, Change, Commit, Entry, Listing, Txn } from '../../../src/core/store.ts'

/** The contract in its plainest form, one operation at a time: what an implementation is compared with. */
export class ReferenceStore {
  readonly #keep: number
  readonly #base: number
  readonly #entries = new Map<string, Entry>()
  readonly #history: Batch[] = []
  readonly #leases = new Set<string>()

  constructor(base: number, keepRevisions: number) {
    this.#base = base
    this.#keep = keepRevisions
  }

  get revision(): number {
    return this.#base + this.#history.length
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  list(prefix: string): Listing {
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix))
    return { entries: entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)), revision: this.revision }
  }

  commit({ expect = [], changes }: Txn): Commit {
    if (changes.some((change) => change.op === 'put' && change.leaseId && !this.#leases.has(change.leaseId))) {
      throw new FlotillaError('LEASE_ENDED', 'as the contract says')
    }
    for (const { key, revision } of expect) {
      const actual = this.#entries.get(key)?.revision ?? 0
      if (actual !== revision) return { committed: false, key, actual }
    }
    const revision = this.revision + 1
    const done: Change[] = []
    for (const change of changes) {
      const existed = this.#entries.delete(change.key)
      if (change.op === 'put') {
        const { op: _, ...written } = change
        const entry = { ...written, revision }
        this.#entries.set(entry.key, entry)
        done.push({ op: 'put', entry })
      } else if (existed) done.push({ op: 'delete', key: change.key })
    }
    this.#history.push({ revision, changes: done })
    return { committed: true, revision }
  }

  grant(id: string): void {
    this.#leases.add(id)
  }

  revoke(id: string): void {
    if (!this.#leases.delete(id)) return
    const keys = [...this.#entries.values()].filter(({ leaseId }) => leaseId === id).map(({ key }) => key)
    if (keys.length > 0) this.commit({ changes: keys.toSorted().map((key) => ({ op: 'delete', key })) })
  }

  /** What a watch from `after` yields before it has to wait; undefined if that is compacted or ahead. */
  watched(prefix: string, after: number): readonly Batch[] | undefined {
    if (after > this.revision || after < Math.max(this.revision - this.#keep, 0)) return undefined
    return this.#history
      .filter(({ revision }) => revision > after)
      .map(({ revision, changes }) => ({
        revision,
        changes: changes.filter((change) => (change.op === 'put' ? change.entry.key : change.key).startsWith(prefix)),
      }))
      .filter(({ changes }) => changes.length > 0)
  }
}
