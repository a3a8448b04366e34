import type { OpenedFile } from '../files/tree-files.ts'
import type { Op } from '../op.ts'
import type { AckWish, Reach } from './ack.ts'
import type { Operation, PutOperation } from './operation.ts'
import type { OperationItem, RowsWish } from './child.ts'
import type { Upkeep } from './upkeep.ts'
import type { Hello, HelloAnswer, Outcome, SumRow, Sums } from './wire.ts'

/** What a file service asks of the way a tree goes to its children, beside reading and writing its files. */
export interface Distribution {
  /** How far the last operation on that key has come; waits until the level is reached, or the time is over. */
  reached(key: string, wish: AckWish, op: Op): Promise<Reach>

  /** A file that is not here, from a child that has it; undefined where none has, or it was deleted. */
  elsewhere(key: string, options: { readonly hops: number } & Op): Promise<OpenedFile | undefined>

  /** Who feeds this tree, for people, where somebody does: others may not write then. */
  readonly fedBy: string | undefined

  /** At one of several roots that does not lead: where others write now, whose URL is undefined while nobody leads. */
  readonly leader?: { readonly url: string | undefined } | undefined

  /** At a root from which another node took over: the child that says so. Others may not write here any more. */
  readonly outdatedBy?: string | undefined

  /** Of a request that says nothing else. */
  readonly ack: AckWish

  /** In the order of the configuration. */
  children(): readonly ChildView[]

  /** What a child lacks, in the order of keys, after that key. Undefined where there is no such child. */
  missing(
    child: string,
    options: { readonly after: string; readonly limit: number },
  ): readonly MissingFile[] | undefined

  /** Files of the tree as far as they are known, also those that only children still have, in the order of keys, after that key. */
  files?(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly PutOperation[]

  /** Undefined where nothing can be asked of the children. */
  readonly upkeep?: Upkeep | undefined

  /** Undefined where what comes from the parent must not be passed on to its other children. */
  readonly relay?: Relay | undefined

  /** The part that a parent talks to. */
  readonly receiver: Receiver
}

/** Passes on what was applied here, so that each byte leaves the parent about once. */
export interface Relay {
  /** For each operation, which of the siblings have it then, counted from 0. Never rejects. */
  passOn(operations: readonly Operation[], siblings: Siblings, op: Op): Promise<readonly (readonly number[])[]>
}

export interface Siblings {
  readonly urls: readonly string[]
  /** What this node was spoken to with, which they know too. */
  readonly key: { reveal(): string } | undefined
}

export interface ChildView {
  /** Host and port, with a path where it has one: what `missing` takes. */
  readonly name: string
  /** Without credentials. */
  readonly url: string
  readonly state: 'in-step' | 'sending' | 'waiting' | 'unreachable' | 'refused'
  /** Operations and bytes it lacks, and since when the oldest. */
  readonly behind: { readonly operations: number; readonly bytes: number; readonly sinceMs: number | undefined }
  readonly stuck: number
  /** The root that leads just now feeds it as well: this node only has to see that nothing was left out. */
  readonly isFedElsewhere?: boolean | undefined
  /** Of the whole, or of the first file that it could not take. */
  readonly error?: string | undefined
  /** What to do about it. */
  readonly hint?: string | undefined
  /** What keeps a node below it from its files, as it says. */
  readonly below?: string | undefined
  /** When it was heard last. */
  readonly heardMs: number | undefined
  /** Until it is in step at the present rate. */
  readonly etaMs?: number | undefined
}

/** Of one that is not, nobody knows what lies below it now. */
export function isHeard({ state }: Pick<ChildView, 'state'>): boolean {
  return state !== 'refused' && state !== 'unreachable'
}

export interface MissingFile {
  readonly operation: Operation
  readonly recordedMs: number
  readonly error?: string | undefined
}

/** What a child does as its parent says; see `wire.ts` for each. */
export interface Receiver {
  hello(hello: Hello, op: Op): Promise<HelloAnswer>
  /** Of the other roots that were heard lately: id of the ledger → `handed` of its last hello, 0 where it said none. */
  handed?(): ReadonlyMap<string, number>
  /** No key twice; an outcome for each, in their order. The contents are not looked at again by whoever brings them. One of the tree's own failures is an outcome: rejects only where the signal aborted. */
  operations(items: readonly OperationItem[], op: Op): Promise<readonly Outcome[]>
  partBytes(id: string): Promise<number>
  /** Rejects where the body breaks off; what has come by then is kept under the id. */
  body(body: IncomingBody, op: Op): Promise<Outcome>
  /** Resolves when every node below has what was received up to now of these keys: false when the time was over before. */
  deep(keys: readonly string[], waitMs: number, op: Op): Promise<boolean>
  /** Nothing lies below just now: what is here is everywhere. */
  readonly isLeaf: boolean
  sums(prefix: string, op: Op): Promise<Sums>
  rows(wish: RowsWish, op: Op): Promise<readonly SumRow[]>
}

export interface IncomingBody {
  readonly key: string
  readonly id: string
  readonly from: number
  /** Nobody else has them. */
  readonly chunks: AsyncIterable<Uint8Array>
  readonly operation: () => Promise<PutOperation | undefined>
}
