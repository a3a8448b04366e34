import { sha256 } from '../../src/lib/hash.ts'
import type { Operation } from '../../src/core/push/operation.ts'

export interface FedOperation {
  readonly operation: Operation
  readonly content: string
  readonly isLong: boolean
}

/** What a parent says to the child of tests that is killed: always the same, with old ones between the new. */
export function fedOperations(): readonly FedOperation[] {
  const one = (key: string, sequence: number, content: string | undefined, isLong = false): FedOperation => {
    const version = { epoch: 5, sequence }
    if (content === undefined) return { operation: { key, version, gone: true }, content: '', isLong }
    const facts = { size: content.length, sha256: sha256(content), modifiedMs: 1000 * sequence, etag: `e-${sequence}` }
    return { operation: { key, version, ...facts }, content, isLong }
  }
  return [
    one('a', 1, 'first'),
    one('a', 3, 'third'),
    one('a', 2, 'second'),
    one('b/c', 4, 'x'.repeat(1_200_000), true),
    one('a', 6, undefined),
    one('a', 5, 'late'),
    one('d', 7, 'kept'),
    one('b/c', 9, 'y'.repeat(1_200_000), true),
    one('b/c', 8, 'z'.repeat(1_100_000), true),
    one('d', 10, 'kept'),
  ]
}
