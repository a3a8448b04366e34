import type { Op } from '../op.ts'
import type { Operation, PutOperation } from './operation.ts'
import type { Hello, HelloAnswer, Outcome, SumRow, Sums } from './wire.ts'

/**
 * A child as its parent sees it. Every call may be repeated; rejects with `UNREACHABLE` where there is no answer, else with what the child says.
 * One that is refused as a whole has changed nothing.
 */
export interface Child {
  /** Without credentials. */
  readonly url: string

  hello(hello: Hello, op: Op): Promise<HelloAnswer>

  /**
   * At most `OPS_LIMITS`, no key twice; an outcome for each, in their order. `deepMs`: waits that long for what lies below. `relay`: URLs of children
   * of the same parent to whom it may pass them on.
   */
  operations(
    items: readonly OperationItem[],
    options: { readonly deepMs?: number | undefined; readonly relay?: readonly string[] | undefined } & Op,
  ): Promise<readonly Outcome[]>

  /** How many bytes of that body are there already. */
  partBytes(id: string, op: Op): Promise<number>

  /** One large file, as it becomes known. */
  body(body: LongBody, op: Op): Promise<Outcome>

  sums(prefix: string, op: Op): Promise<Sums>

  rows(wish: RowsWish, op: Op): Promise<readonly SumRow[]>

  close(): Promise<void>
}

export interface OperationItem {
  readonly operation: Operation
  /** Absent: a deletion, or only offered. */
  readonly bytes?: Uint8Array | undefined
  /** Nobody else has the bytes, nor looks at them again once there are outcomes. */
  readonly isOwn?: boolean | undefined
}

export interface LongBody {
  readonly key: string
  /** Under which the child keeps what has come, if it breaks off: 1 to 64 of a-z 0-9 and `-`. */
  readonly id: string
  readonly from: number
  /** From `from` on. A chunk is not looked at any more when the next is asked for. Ends when the whole is there. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** Asked for after the last chunk; undefined: it came to nothing, and the child forgets what it has. */
  readonly operation: () => Promise<PutOperation | undefined>
  readonly deepMs?: number | undefined
  readonly relay?: readonly string[] | undefined
}

export interface RowsWish {
  readonly prefix: string
  readonly buckets: readonly number[]
  readonly after: string
  readonly limit: number
}
