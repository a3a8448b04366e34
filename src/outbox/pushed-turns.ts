import { FlotillaError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { Conditions, Turn } from '../core/files/tree-files.ts'
import type { Election } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { isGone, type Operation, type PutOperation } from '../core/push/operation.ts'

export interface TurnsOptions {
  readonly ledger: Pick<OpenLedger, 'get' | 'next' | 'record' | 'keepLeaving' | 'newest'>
  /** After each row, when it is durable. */
  readonly onRecorded: (operation: Operation) => void
  /** At one of several roots: nothing is written, and nothing acknowledged, but in one and the same term. */
  readonly election?: Election | undefined
  /** False at one of several roots that may not know yet what the leader before it has acknowledged: no condition can be looked at then. */
  readonly isSettled?: (() => boolean) | undefined
}

/** What is told of a file besides its entry. */
export type Headers = PutOperation['headers']

/** Gives each write at a root its version, at the moment when the file takes its place. */
export class PushedTurns {
  readonly #options: TurnsOptions
  /** By key: who is between taking its place and its row. */
  readonly #under = new Map<string, Under>()

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /**
   * Runs `work` with the turn of a write. What `work` resolves with is durable in the ledger; where the row could not be
   * written it rejects, though the file has its place: it will be adopted as found.
   */
  async with<T>(
    key: string,
    { turn, headers, onOperation, isRemoval = false, isConditional }: PushedTurn,
    work: (turn: Turn) => Promise<T>,
  ): Promise<T> {
    if (isConditional) this.#checkSettled()
    let isUnder = false
    let term: number | undefined
    const mine: Turn = {
      isWanted: () => {
        if (turn?.isWanted?.() === false) return false
        term = this.#term()
        if (isConditional) this.#checkSettled()
        if (!isUnder) this.#enter(key)
        if (isRemoval) this.#options.ledger.keepLeaving(key, true)
        isUnder = true
        return true
      },
      elsewhere: () => this.#elsewhere(key),
      done: async (entry) => {
        await turn?.done(entry)
        // Of what was not there it is not asked whether it is wanted.
        term ??= this.#term()
        const operation = await this.#record(key, entry, headers?.(), term)
        if (operation !== undefined) onOperation?.(operation)
      },
    }
    try {
      return await work(mine)
    } finally {
      if (isUnder && isRemoval) this.#options.ledger.keepLeaving(key, false)
      if (isUnder) this.#leave(key)
    }
  }

  /** Resolves when no write is between taking the place of that key and its row. */
  async settled(key: string): Promise<void> {
    for (let under = this.#under.get(key); under !== undefined; under = this.#under.get(key)) await under.over.promise
  }

  /** What was dropped from the folder here is still read, from the children. */
  #elsewhere(key: string): string | undefined {
    const row = this.#options.ledger.get(key)
    return row === undefined || isGone(row) ? undefined : row.etag
  }

  /** Undefined where it was gone before, and every child knows or will. */
  async #record(
    key: string,
    entry: FileEntry | undefined,
    headers: Headers,
    term: number | undefined,
  ): Promise<Operation | undefined> {
    const { ledger, onRecorded } = this.#options
    const before = ledger.get(key)
    if (entry === undefined && before !== undefined && 'gone' in before) return undefined
    for (;;) {
      // A version after one that another root gave would be greater than all that it gives from now on.
      if (term !== undefined && (ledger.newest?.epoch ?? 0) > term) throw notLeading()
      const version = ledger.next()
      const operation: Operation =
        entry === undefined ? { key, version, gone: true } : { ...putOf(entry), version, ...(headers && { headers }) }
      // It is not where something newer came from elsewhere at this very moment: ours is in place, and so the last.
      if (!(await ledger.record(operation))) continue
      onRecorded(operation)
      if (term !== this.#term()) throw notLeading()
      return operation
    }
  }

  #checkSettled(): void {
    if (this.#options.isSettled?.() ?? true) return
    throw new FlotillaError(
      'NOT_READY',
      'this node leads since a moment ago, and asks the others what is the case; ask again',
    )
  }

  /** Undefined at a lone root. Throws `NOT_READY` at one of several that does not lead. */
  #term(): number | undefined {
    const { election } = this.#options
    if (election === undefined) return undefined
    const { term } = election
    if (term === undefined) throw notLeading()
    return term
  }

  #enter(key: string): void {
    const under = this.#under.get(key)
    if (under === undefined) this.#under.set(key, { count: 1, over: Promise.withResolvers() })
    else under.count++
  }

  #leave(key: string): void {
    const under = this.#under.get(key)
    if (under === undefined || --under.count > 0) return
    this.#under.delete(key)
    under.over.resolve()
  }
}

export interface PushedTurn {
  /** Of whoever writes, besides. */
  readonly turn?: Turn | undefined
  readonly isConditional: boolean
  /** After a crash in its midst it is finished. */
  readonly isRemoval?: boolean | undefined
  /** Asked for when the file is in place. */
  readonly headers?: (() => Headers) | undefined
  readonly onOperation?: ((operation: Operation) => void) | undefined
}

function notLeading(): FlotillaError {
  return new FlotillaError('NOT_READY', 'another node takes the writes of this tree from now on; ask again')
}

interface Under {
  count: number
  readonly over: PromiseWithResolvers<void>
}

/** What an entry of the index tells of the file. */
export function putOf({ key, size, modifiedMs, etag, sha256, md5 }: FileEntry): Omit<PutOperation, 'version'> {
  return { key, size, modifiedMs, etag, ...(sha256 && { sha256 }), ...(md5 && { md5 }) }
}

export function isConditional({ ifMatch, ifNoneMatch }: Conditions): boolean {
  return ifMatch !== undefined || ifNoneMatch !== undefined
}
