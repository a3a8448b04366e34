import type { Change, Entry, Store } from '../core/store.ts'

/** One key as somebody looks at it. */
export class KeyView {
  readonly key: string
  entry: Entry | undefined
  loaded: Promise<void> = Promise.resolve()
  users = 0
  /** What is older was read already. */
  #floor = 0
  /** What came while it was read. */
  #waiting: [Change, number][] | undefined

  constructor(key: string) {
    this.key = key
  }

  /**
   * Reads it anew. The revision is asked for before the value, so that what came in between is applied once more, in order:
   * nothing older than the moment of asking is ever shown.
   */
  load(store: Store): Promise<void> {
    this.loaded = this.#load(store)
    return this.loaded
  }

  async #load(store: Store): Promise<void> {
    const waiting: [Change, number][] = []
    this.#waiting = waiting
    const { revision } = await store.list(`${this.key}/`)
    const entry = await store.get(this.key)
    // It is being read once more, because the watch began anew meanwhile.
    if (this.#waiting !== waiting) return this.loaded
    this.entry = entry
    this.#floor = Math.max(revision, entry?.revision ?? 0)
    this.#waiting = undefined
    for (const [change, at] of waiting) this.apply(change, at)
  }

  apply(change: Change, revision: number): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push([change, revision])
    } else if (revision > this.#floor) {
      this.entry = change.op === 'put' ? change.entry : undefined
      this.#floor = revision
    }
  }
}

/** The keys that somebody looks at, each read once for all of them. */
export class KeyViews {
  readonly #store: Store
  readonly #views = new Map<string, KeyView>()

  constructor(store: Store) {
    this.#store = store
  }

  /** To be closed again. */
  open(key: string): KeyView {
    let view = this.#views.get(key)
    if (view === undefined) {
      view = new KeyView(key)
      this.#views.set(key, view)
      const opened = view
      // Whoever opened it waits for it, and hears of it.
      view.load(this.#store).catch(() => this.#forget(opened))
    }
    view.users += 1
    return view
  }

  close(view: KeyView): void {
    view.users -= 1
    if (view.users <= 0) this.#forget(view)
  }

  apply(key: string, change: Change, revision: number): void {
    this.#views.get(key)?.apply(change, revision)
  }

  async reload(): Promise<void> {
    await Promise.all([...this.#views.values()].map((view) => view.load(this.#store)))
  }

  #forget(view: KeyView): void {
    if (this.#views.get(view.key) === view) this.#views.delete(view.key)
  }
}
