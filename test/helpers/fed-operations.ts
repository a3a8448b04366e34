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
    one('new/1', 11, 'new'),
    one('new/2', 12, 'new too'),
    one('e', 13, 'beside'),
    one('new/1', 15, 'newer'),
    one('new/2', 14, 'other'),
    one('e', 16, undefined),
  ]
}

/** As a parent sends them: long ones alone, others together as long as no key comes twice. */
export function fedBatches(): readonly (readonly FedOperation[])[] {
  const batches: FedOperation[][] = []
  let last: FedOperation[] = []
  for (const one of fedOperations()) {
    const isAlone = one.isLong || last.some(({ operation, isLong }) => isLong || operation.key === one.operation.key)
    if (last.length === 0 || isAlone) batches.push((last = [one]))
    else last.push(one)
  }
  return batches
}
