import { FlotillaError } from '../../core/errors.ts'
import { BATCH_LIMITS, type BatchItem } from '../../core/files/peer.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import { FRAME } from '../../core/files/peer-wire.ts'

/**
 * What a batch answers for `entries`, with the SHA-256 that the other side tells where none was known; the bytes are parts of `answer`. Throws
 * `BAD_LISTING` for what is no such answer, `UNREACHABLE` for one that ends too early.
 */
export function* batchItems(answer: Buffer, entries: readonly FileEntry[], name: string): Generator<BatchItem, void> {
  let at = 0
  const take = (count: number): Buffer => {
    at += count
    if (at <= answer.byteLength) return answer.subarray(at - count, at)
    throw new FlotillaError('UNREACHABLE', `${name} broke off its answer to a batch`)
  }
  for (const entry of entries) {
    const head = take(FRAME.headerBytes)
    const kind = head.readUInt32LE(0)
    const size = head.readUInt32LE(4)
    if (kind === FRAME.absent && size <= FRAME.hashBytes + entry.size) {
      take(size)
      yield { entry }
      continue
    }
    if (kind !== FRAME.bytes && kind !== FRAME.hashedBytes) throw bad(name)
    if (size !== entry.size || size > BATCH_LIMITS.fileBytes) throw bad(name)
    const hash = kind === FRAME.bytes ? undefined : take(FRAME.hashBytes)
    const told = entry.sha256 === undefined && hash !== undefined ? { ...entry, sha256: hash.toString('hex') } : entry
    yield { entry: told, bytes: take(size) }
  }
  const end = take(FRAME.headerBytes)
  if (end.readUInt32LE(0) !== FRAME.end || end.readUInt32LE(4) !== entries.length) throw bad(name)
  if (at !== answer.byteLength) throw bad(name)
}

function bad(name: string): FlotillaError {
  return new FlotillaError('BAD_LISTING', `the answer of ${name} to a batch is not of its form`)
}
