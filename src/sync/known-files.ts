import { compareKeys } from '../core/files/entry.ts'
import type { KnownFile } from './state-rows.ts'
import type { SyncState } from './state.ts'

const PAGE = 1000

/** The files that are known, read along with a sorted listing. */
export class KnownFiles {
  readonly #state: SyncState
  #page: readonly KnownFile[] = []
  #at = 0
  #after = ''
  #isEnd = false

  constructor(state: SyncState) {
    this.#state = state
  }

  /** The file of that key; those before it go to `gone`. */
  upTo(key: string, gone: KnownFile[]): KnownFile | undefined {
    for (let file = this.#peek(); file !== undefined; file = this.#peek()) {
      const order = compareKeys(file.entry.key, key)
      if (order > 0) return undefined
      this.#at += 1
      if (order === 0) return file
      gone.push(file)
    }
    return undefined
  }

  /** Some of those that are left; false when there are no more. */
  rest(gone: KnownFile[]): boolean {
    for (let file = this.#peek(); file !== undefined && gone.length < PAGE; file = this.#peek()) {
      this.#at += 1
      gone.push(file)
    }
    return this.#peek() !== undefined
  }

  #peek(): KnownFile | undefined {
    if (this.#at === this.#page.length && !this.#isEnd) {
      this.#page = this.#state.page(this.#after, PAGE)
      this.#at = 0
      this.#isEnd = this.#page.length < PAGE
      this.#after = this.#page.at(-1)?.entry.key ?? this.#after
    }
    return this.#page[this.#at]
  }
}
