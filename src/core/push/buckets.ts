import type { Version } from './operation.ts'

/** The keys of a tree fall into this many buckets by the SHA-256 of the key: two nodes compare the sums of buckets, and look into those that differ. */
export const BUCKETS = 4096

/** `hash`: hex SHA-256 of the key. */
export function bucketOf(hash: string): number {
  return Number.parseInt(hash.slice(0, 3), 16)
}

/** The buckets in which two nodes differ. */
export function differing(a: readonly string[], b: readonly string[]): readonly number[] {
  return Array.from({ length: BUCKETS }, (_, bucket) => bucket).filter(
    (bucket) => (a[bucket] ?? '') !== (b[bucket] ?? ''),
  )
}

/** What one node has of a key: the SHA-256 of its content where that is known, else its ETag. Both sides know it of what went from one to the other. */
export interface Held {
  readonly key: string
  readonly content: string
  /** Of the operation that brought it, where it is known. */
  readonly version?: Version | undefined
}

export interface Difference {
  readonly key: string
  /** `missing` at the child; `other`: the child has something else; `extra`: only the child has it; `dropped`: likewise, as it was
   * removed from the folder here, which is no deletion. */
  readonly kind: 'missing' | 'other' | 'extra' | 'dropped'
  /** What the child has. */
  readonly theirs?: Held | undefined
}

/** Both in ascending order of keys; what is in one page of each. */
export function* compareRows(ours: Iterable<Held>, theirs: Iterable<Held>): Generator<Difference, void> {
  const held = new Map([...theirs].map((row) => [row.key, row]))
  for (const { key, content } of ours) {
    const other = held.get(key)
    held.delete(key)
    if (other === undefined) yield { key, kind: 'missing' }
    else if (other.content !== content) yield { key, kind: 'other', theirs: other }
  }
  for (const [key, theirs] of held) yield { key, kind: 'extra', theirs }
}
