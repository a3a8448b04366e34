import type { Op } from '../op.ts'

/** A body that is being written to a temporary file: others read behind the writer, each at its own pace, without keeping it up. */
export interface Growing {
  readonly key: string
  /** Bytes that can be read by now. */
  readonly written: number
  /** `whole`: it came to its end, as announced. `failed`: nothing will come of it, which may be known only after it was whole. */
  readonly state: 'growing' | 'whole' | 'failed'

  /** Resolves at the next change of `written` or `state` after the moment of calling. */
  changed(op: Op): Promise<void>

  /**
   * Reads into `buffer` from `position`; resolves with how many bytes, at least one where `position` is below `written`. Works also when the
   * file was renamed, replaced or removed since.
   */
  read(buffer: Uint8Array, position: number): Promise<number>

  /** Must be called, once, by whoever was given it. */
  release(): void
}
