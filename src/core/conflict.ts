import type { Json } from './json-patch/json.ts'

/** What is there now, for whoever lost a race: everything needed to decide again without asking. */
export interface Conflict {
  readonly profile: string
  /** Of the operation in its transaction, from 0 on. */
  readonly operation: number
  /** What was asked for: `set`, `patch`, …; or `test`, `add`, … where an operation of a JSON Patch failed. */
  readonly op: string
  /** Of that operation in its JSON Patch, from 0 on. */
  readonly index?: number | undefined
  /** JSON Pointer into the profile. */
  readonly pointer: string
  /** What is at the pointer, where the token may read it; absent when nothing is. */
  readonly actual?: Json | undefined
  /** Of the profile as it is now, what `If-Match` takes; 0 when there is none. */
  readonly revision: number
}
