import { FlotillaError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import type { LedgerRow } from '../core/push/ledger.ts'
import { isGone, type Operation, type PutOperation, versionText } from '../core/push/operation.ts'
import { sha256 } from '../lib/hash.ts'

export type PutRow = Extract<LedgerRow, PutOperation>

/** As it goes over the wire: without what only this node's ledger says of it. */
export function operationOf(row: LedgerRow): Operation {
  const { position: _, recordedMs: __, ...operation } = row
  return operation
}

/**
 * The file that a row says. Rejects with `NOT_FOUND` where it was removed from the folder, which is no deletion, and with `CHANGED` where another is in
 * its place by now: a newer row will say so.
 */
export async function openRow(
  files: TreeFiles,
  row: PutOperation,
  signal: AbortSignal | undefined,
): Promise<OpenedFile> {
  const file = await files.open(row.key, { signal })
  if (file === undefined) {
    throw new FlotillaError('NOT_FOUND', 'the file was removed from the folder here', {
      hint: 'Put it back, or delete it through the file service.',
    })
  }
  if (isFileOf(file.entry, row)) return file
  await file.close()
  throw new FlotillaError('CHANGED', 'another file is in its place here, and was not recorded yet')
}

function isFileOf({ size, etag, sha256 }: FileEntry, row: PutOperation): boolean {
  return size === row.size && (etag === row.etag || (sha256 !== undefined && sha256 === row.sha256))
}

/** A small file, whole, with the hash that it is verified against. */
export async function readRow(
  files: TreeFiles,
  row: PutRow,
  signal: AbortSignal,
): Promise<{
  readonly operation: Operation
  readonly bytes: Uint8Array
  readonly sha256: string
  /** Nobody else has these bytes. */
  readonly isOwn: boolean
}> {
  const file = await openRow(files, row, signal)
  try {
    const bytes = file.bytes ?? (await wholeOf(file, signal))
    const operation = operationOf(row) as PutOperation
    const hash = operation.sha256 ?? sha256(bytes)
    return { bytes, operation: { ...operation, sha256: hash }, sha256: hash, isOwn: file.bytes === undefined }
  } finally {
    await file.close()
  }
}

export async function wholeOf(file: OpenedFile, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const { size } = file.entry
  const chunks: Uint8Array[] = []
  for await (const chunk of file.read(0, size, { signal, chunkBytes: size })) chunks.push(chunk)
  const [first = new Uint8Array()] = chunks
  return chunks.length <= 1 ? first : Buffer.concat(chunks)
}

/** Under which a child keeps what has come of that file. */
export function partIdOf(row: Operation): string {
  return sha256(`${versionText(row.version)}/${row.key}`).slice(0, 40)
}

export function isPut(row: LedgerRow): row is PutRow {
  return !isGone(row)
}
