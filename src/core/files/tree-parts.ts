import type { Op } from '../op.ts'
import type { Growing } from './growing.ts'
import type { PutOptions, PutResult } from './tree-files.ts'

/** Bodies of one tree that come in several goes: what has come is kept under an id, also over a restart, until it is whole or a day old. */
export interface TreeParts {
  /** Opens it, or begins one. One user of an id at a time: rejects with `LOST_RACE` else. `id`: 1 to 64 of a-z, 0-9 and `-`. */
  open(id: string, op?: Op): Promise<Part>

  /** How much there is under an id; 0 where there is nothing. */
  bytes(id: string): Promise<number>

  /**
   * Takes a file that another program has written whole below the folder of `incoming` in the tree, such as nginx. `name` is its path there.
   * Rejects with `NOT_FOUND`, or `BAD_REQUEST` for one that leads elsewhere. It is gone when it is closed without having been placed.
   */
  take(name: string, op?: Op): Promise<Part>

  /** Where such programs write to: on the file system of the tree, never listed. */
  readonly incoming: string
}

export interface Part {
  readonly bytes: number

  /** Rejects with what `body` rejects with; what had come by then stays. Constant memory. */
  append(body: AsyncIterable<Uint8Array>, options?: AppendOptions & Op): Promise<void>

  /** To read behind the writer. */
  follow(key: string): Growing

  /**
   * As `TreeFiles.put`: verified against what was announced, then visible at once and durable. Also after `append` in an earlier life. What
   * turns out to be wrong, but for being too short, is gone when it is closed. The SHA-256 is known by then, while an MD5 or a
   * `check` costs reading all of it once more: say in `digests` that the MD5 is not wanted. `follow` of the options has no meaning here.
   */
  place(key: string, options: PutOptions & Op): Promise<PutResult>

  /** It stays for another time, unless it was placed. */
  close(): Promise<void>

  /** It will never be whole. */
  remove(): Promise<void>
}

export type AppendOptions = Pick<PutOptions, 'isOwn'>
