/**
 * What a parent says to a child below `PEER_PATH`, at `trees/<tree>/`, with a credential that may feed this tree:
 *
 * - `POST push-hello`: JSON `Hello` → `HelloAnswer`. Refused with `LOOP` where the child is above itself, `FED_BY_ANOTHER` where another root feeds it.
 * - `POST push-ops?deep=1`: frames of `OPS_LIMITS`; for each operation a `FRAME.bytes` frame with the operation as JSON, then, unless it is a
 *   deletion or only offered, a `FRAME.bytes` frame with its content; `{"offer":true}` in the JSON says that no content follows. Last an end frame with the number
 *   of operations. → JSON `readonly Outcome[]`, in their order. `deep`: answered when every node below has them, or `wait` ms have passed.
 * - `GET push-part?id=`: JSON `{ bytes }`: what the child holds of a body that broke off.
 * - `POST push-body?key=&id=&from=&deep=`: frames of bytes from that offset on, as they come to the parent; a frame of no bytes says that the
 *   parent lives. Then `FRAME.bytes` is followed by the operation as JSON in a frame of kind `OPERATION_FRAME`, and an end frame, whose number is 0. What has arrived is kept under `id` when it breaks off before. A frame
 *   of kind `ABORT_FRAME` says that there will be no such file. → JSON `Outcome`.
 * - `POST push-sums`: JSON `{ prefix }` → JSON `Sums`. `POST push-rows`: JSON `{ prefix, buckets, after, limit }` → JSON `readonly SumRow[]`, by key.
 *
 * Nothing is applied before it was verified against its size and SHA-256. Every call may be repeated.
 */
import type { ErrorCode } from '../errors.ts'
import type { Version } from './operation.ts'

/**
 * A parent that may relay names further children here: URLs with a space between, percent-encoded where they need it. Who is allowed to
 * passes what it has applied on to them with the credentials it was spoken to with, and tells in `relayed` which have it. Who knows nothing of it ignores it.
 */
export const RELAY_HEADER = 'x-flotilla-relay'
export const RELAY_MAX = 32

/** A frame has a header of eight bytes, kind and length, little-endian, as in `core/files/peer-wire.ts`. */
export const OPERATION_FRAME = 3
export const ABORT_FRAME = 4

export const OPS_LIMITS = {
  operations: 256,
  bytes: 8 * 1024 * 1024,
  contentBytes: 1024 * 1024,
  jsonBytes: 64 * 1024,
} as const

/** No frame of a body is longer. */
export const BODY_FRAME_BYTES = 1024 * 1024

/** Set by a node that asks its children for a file it lacks: how many have been asked already on the way. */
export const HOPS_HEADER = 'x-flotilla-hops'
export const HOPS_MAX = 8

/** Whether it can be the id of a ledger, as others say it. */
export function isLedgerId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]{1,100}$/.test(value)
}

export interface Hello {
  /** Id of the parent's ledger. */
  readonly from: string
  /** For people: host and port. */
  readonly name: string
  readonly lineage: string
  /** Ids of ledgers from the root down to the parent, which is the last. */
  readonly above: readonly string[]
  /** Of the newest version that the parent has or would give: only a newer root may take a tree over. */
  readonly epoch?: number | undefined
  /** What `from` was before the parent was fed by others and began again: the child need not take it for somebody else. */
  readonly was?: string | undefined
  /** Of one of several roots, whose lineage is the same: the epoch that it leads just now, 0 where it does not lead. */
  readonly term?: number | undefined
  /** Of one of several roots that does not lead: the epoch of the leader, once the child has all that is here of those before. */
  readonly handed?: number | undefined
}

export interface HelloAnswer {
  /** Of the child's ledger. */
  readonly id: string
  /** It is one of several roots. */
  readonly isRoot?: boolean | undefined
  /** It knows operations already: it may have what was lost above. */
  readonly isFilled?: boolean | undefined
  /** What keeps a node below it from its files. */
  readonly below?: Below | undefined
  /** Ids of the ledgers of all whom it has heard lately: several roots may feed it. */
  readonly heard?: readonly string[] | undefined
}

export interface Below {
  /** For people, in one line: which node, and why. */
  readonly error: string
  /** It will not end by itself: such as a loop, or a wrong key. */
  readonly isRefusal: boolean
}

export type Outcome =
  /** `same`: the content was there; only noted. `older`: the child has a newer one. All three are done. */
  | {
      readonly result: 'applied' | 'same' | 'older'
      /** Every node below has it; also told where nobody asked, and nothing lies below. */
      readonly isDeep?: boolean
      /** Of the children in `RELAY_HEADER`, counted from 0. */
      readonly relayed?: readonly number[]
    }
  /** It was offered, and its content is needed. */
  | { readonly result: 'wanted' }
  | { readonly result: 'failed'; readonly code: ErrorCode; readonly message: string }

/** Hash of each bucket of keys; hex, `''` for an empty one. See `buckets.ts`. */
export type Sums = readonly string[]

export interface SumRow {
  readonly key: string
  /** What the bucket was summed of. */
  readonly content: string
  /** Of the operation that brought the file that is in place. */
  readonly version?: Version | undefined
}
