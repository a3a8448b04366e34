import { constants, ftruncate } from 'node:fs'
import { promisify } from 'node:util'
import type { PutResult, RemoveOptions } from '../../core/files/tree-files.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import { setModified } from '../../lib/file-calls.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { etagOfParts } from '../../lib/s3/checksums.ts'
import { joinedParts } from './joined-parts.ts'
import type { FolderFiles } from './tree-files.ts'
import type { UploadState } from './upload-state.ts'
import { type StoredPart, WHOLE } from './upload-store.ts'

const truncate = promisify(ftruncate)

/** An upload, its folder, and the parts of it that become the file. */
interface Chosen {
  readonly state: UploadState
  readonly path: string
  readonly parts: readonly StoredPart[]
}

interface Finish extends RemoveOptions, Op {
  readonly facts: FileFacts
  readonly modifiedMs: number
}

/** Makes the parts the file of that key: by a rename where they lie as they should, or else by copying. */
export async function completeUpload(
  files: FolderFiles,
  key: string,
  { state, path, parts }: Chosen,
  { modifiedMs, facts: given, ifMatch, ifNoneMatch, turn, signal }: Finish,
): Promise<PutResult> {
  const facts = { ...given, etag: given.etag ?? etagOfParts(parts.map(({ md5 }) => md5)) }
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  const conditions = { ifMatch, ifNoneMatch, turn, signal }
  if (state.isWhole(parts)) {
    state.isFrozen = true
    try {
      return await rename(files, key, `${path}/${WHOLE}`, { size, modifiedMs, facts, ...conditions })
    } catch (error) {
      // The folder it belongs into is another file system.
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    } finally {
      state.isFrozen = false
    }
  }
  return files.put(key, joinedParts(path, parts), { ...conditions, size, modifiedMs, facts: () => facts })
}

async function rename(
  files: FolderFiles,
  key: string,
  temporary: string,
  { size, modifiedMs, facts, ...conditions }: Finish & { readonly size: number },
): Promise<PutResult> {
  const { calls } = files.tree
  const descriptor = await calls.open(temporary, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    await truncate(descriptor, size)
    await setModified(descriptor, modifiedMs, calls)
    await calls.sync(descriptor)
    return await files.placing.put(key, keyPath(key), { temporary, descriptor, facts }, conditions)
  } finally {
    await calls.close(descriptor)
  }
}
