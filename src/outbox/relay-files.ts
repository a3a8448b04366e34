import { FlotillaError } from '../core/errors.ts'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import type { Child } from '../core/push/child.ts'
import type { PutOperation } from '../core/push/operation.ts'
import type { Outcome } from '../core/push/wire.ts'
import { openRow, partIdOf, wholeOf } from './sender-content.ts'

/** A small file that was applied here. Undefined where it is another one by now: it is only offered then. */
export async function readFile(
  files: TreeFiles,
  operation: PutOperation,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  let file: OpenedFile
  try {
    file = await openRow(files, operation, signal)
  } catch {
    return undefined
  }
  try {
    return file.bytes ?? (await wholeOf(file, signal))
  } finally {
    await file.close()
  }
}

/** A large file that was applied here. */
export async function sendFile(
  child: Child,
  files: TreeFiles,
  operation: PutOperation,
  { relay, signal }: { readonly relay: readonly string[] } & Op,
): Promise<Outcome> {
  const file = await openRow(files, operation, signal)
  try {
    const { key, size } = operation
    const id = partIdOf(operation)
    const from = await child.partBytes(id, { signal })
    if (from > size) throw new FlotillaError('CHANGED', `there is more of ${key} than there should be`)
    const chunks = file.read(from, size, { signal, reuse: true })
    return await child.body({ key, id, from, chunks, operation: async () => operation, relay }, { signal })
  } finally {
    await file.close()
  }
}
