import { hash } from 'node:crypto'
import { BLOCKS } from '../core/files/peer.ts'

/** The hashes of the small blocks of one large block, one after the other, as `BlockHashes` has them. */
export function smallHashes(block: Uint8Array): Uint8Array {
  const hashes = Buffer.allocUnsafe(Math.ceil(block.byteLength / BLOCKS.small) * BLOCKS.hashBytes)
  for (let at = 0, to = 0; at < block.byteLength; at += BLOCKS.small, to += BLOCKS.hashBytes) {
    hashes.set(cutHash(block.subarray(at, at + BLOCKS.small)), to)
  }
  return hashes
}

/** Of a small block; of a large one, given the hashes of its small blocks. */
export function cutHash(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer').subarray(0, BLOCKS.hashBytes)
}
