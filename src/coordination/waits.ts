import { type Condition, meets, type Subject, valueOf } from '../core/coordination/conditions.ts'
import type { Entry } from '../core/store.ts'
import type { Board } from './board.ts'
import type { Wait } from './waiters.ts'

export interface Awaited {
  readonly met: boolean
  /** Of what was looked at; 0 where it is not there. */
  readonly revision: number
  readonly value: unknown
}

/** Waiting until a value is what somebody wants it to be. */
export class Waits {
  readonly #board: Board
  /** What thousands wait for is read once for all of them. */
  readonly #parsed = new WeakMap<Entry, unknown>()

  constructor(board: Board) {
    this.#board = board
  }

  /** Looks at the value of `key`, now and at every change, until the condition is met or the time is over. */
  until(key: string, subject: Subject, condition: Condition, wait: Wait): Promise<Awaited> {
    let last: Awaited = { met: false, revision: 0, value: undefined }
    const look = (entry: Entry | undefined): Awaited | undefined => {
      last = this.look(entry, subject, condition)
      return last.met ? last : undefined
    }
    return this.#board.untilKey(key, look, wait).then((met) => met ?? last)
  }

  look(entry: Entry | undefined, subject: Subject, condition: Condition): Awaited {
    const value = valueOf(this.#documentOf(entry, subject), subject)
    return { met: meets(condition, value), revision: entry?.revision ?? 0, value }
  }

  #documentOf(entry: Entry | undefined, subject: Subject): unknown {
    if (entry === undefined) return undefined
    if (!this.#parsed.has(entry)) this.#parsed.set(entry, parse(entry.value))
    const document = this.#parsed.get(entry)
    // What a node shows is nothing but its meta.
    return entry.key.startsWith('node/') ? { [subject.in]: document } : document
  }
}

/** What a node wrote raw may be anything. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
