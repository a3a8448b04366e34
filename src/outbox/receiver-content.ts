import { createHash } from 'node:crypto'
import { isError } from '../core/errors.ts'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import type { FileFacts, TreeIndex } from '../core/files/tree-index.ts'
import type { Op } from '../core/op.ts'
import type { OperationItem } from '../core/push/child.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { compareVersions, isGone, type PutOperation } from '../core/push/operation.ts'
import { isKey } from '../lib/safe-path.ts'

interface Place {
  readonly files: TreeFiles
  readonly index: Pick<TreeIndex, 'blocks'>
  readonly ledger: Pick<OpenLedger, 'get'>
}

/**
 * Runs `use` on the file in place where it has the content of the operation, and answers what it resolves with; undefined else.
 * A file is read only where nothing tells its hash and its size is right.
 */
export async function withSameContent<T>(
  place: Place,
  operation: PutOperation,
  op: Op,
  use: (file: OpenedFile) => Promise<T | undefined>,
): Promise<T | undefined> {
  const { key, size, sha256 } = operation
  if (sha256 === undefined) return undefined
  const file = await place.files.open(key, op)
  if (file === undefined) return undefined
  try {
    if (file.entry.size !== size || (knownHash(place, file) ?? (await hashOf(file, op))) !== sha256) return undefined
    return await use(file)
  } catch (error) {
    // Somebody writes to it just now.
    if (isError(error, 'CHANGED')) return undefined
    throw error
  } finally {
    await file.close()
  }
}

/** Nothing tells that it may be here already, which costs more to find out. */
export function isNews({ operation, bytes }: OperationItem, ledger: Pick<OpenLedger, 'get' | 'compare'>): boolean {
  const { key, version } = operation
  if (bytes === undefined || isGone(operation) || operation.sha256 === undefined || !isKey(key)) return false
  try {
    const row = ledger.get(key)
    if (row === undefined) return ledger.compare(key, version) > 0
    const isKnown = !isGone(row) && row.sha256 === operation.sha256
    return !isKnown && compareVersions(version, row.version) > 0
  } catch {
    // Done by itself, it fails by itself.
    return false
  }
}

/** Whether it is answered as the root answers it. */
export function isAnsweredSo({ entry, facts }: OpenedFile, { etag, headers }: PutOperation): boolean {
  return entry.etag === etag && sorted(facts?.headers) === sorted(headers)
}

export function factsOf({ etag, md5, sha256, headers }: PutOperation): FileFacts {
  return { etag, ...(md5 && { md5 }), ...(sha256 && { sha256 }), ...(headers && { headers }) }
}

function knownHash({ index, ledger }: Place, { entry, facts }: OpenedFile): string | undefined {
  const { key, etag } = entry
  const row = ledger.get(key)
  const recorded = row !== undefined && !isGone(row) && row.etag === etag ? row.sha256 : undefined
  return recorded ?? entry.sha256 ?? facts?.sha256 ?? index.blocks(key, etag, {})?.sha256
}

async function hashOf(file: OpenedFile, { signal }: Op): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of file.read(0, file.entry.size, { reuse: true, signal })) hash.update(chunk)
  return hash.digest('hex')
}

function sorted(headers: FileFacts['headers'] = {}): string {
  return JSON.stringify(Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
