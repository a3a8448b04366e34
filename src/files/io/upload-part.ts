import { constants, truncateSync } from 'node:fs'
import { posix } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { PartOptions } from '../../core/files/tree-uploads.ts'
import type { Op } from '../../core/op.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { receive } from './receive.ts'
import type { UploadState } from './upload-state.ts'
import { isKeepable, type StoredPart, WHOLE } from './upload-store.ts'

const PART_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW

interface PartPlace {
  readonly path: string
  /** In the finished file; undefined: that file is the part. */
  readonly position: number | undefined
  readonly number: number
}

/** Takes the body of a part into its place, durably. */
export async function receivePart(
  { path, position, number }: PartPlace,
  body: AsyncIterable<Uint8Array>,
  options: PartOptions & Op,
  calls: FileCalls,
  clock: Clock,
): Promise<StoredPart> {
  const file = await calls.open(path, PART_FILE, 0o644)
  try {
    const place = { file, position: position ?? 0, calls }
    const { size, md5 } = await receive(`part ${number}`, body, options, place)
    if (md5 === undefined) throw new Error('the MD5 of a part is always computed')
    const facts = options.facts?.()
    if (!isKeepable(facts)) throw new FlotillaError('BAD_REQUEST', `too much is to be kept with part ${number}`)
    await calls.sync(file)
    const at = position ?? posix.basename(path)
    return { number, size, md5, etag: facts?.etag ?? md5, modifiedMs: clock.nowMs(), headers: facts?.headers, at }
  } finally {
    await calls.close(file)
  }
}

/** Gives the room back that a part took which came to nothing; as far as no other is being written behind it. */
export async function dropPart(state: UploadState, path: string, calls: FileCalls): Promise<void> {
  if (posix.basename(path) !== WHOLE) {
    await calls.unlink(path)
    return
  }
  const end = state.end()
  // At once, before anybody else begins to write there.
  if (end !== undefined) truncateSync(path, end)
}
