import { constants, ftruncate } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { posix } from 'node:path'
import { promisify } from 'node:util'
import { FlotillaError, isError } from '../core/errors.ts'
import { type FileEntry, folderOf } from '../core/files/entry.ts'
import { BLOCK_BYTES, contiguous, type Span, spansLeft } from '../core/sync/blocks.ts'
import { decideRetry } from '../core/sync/retry.ts'
import { syncDirectory } from '../lib/atomic-file.ts'
import type { FileCalls } from '../lib/file-calls.ts'
import type { FolderInside } from '../lib/inside.ts'
import { prepareDelta } from './delta.ts'
import { fileError } from './faults.ts'
import type { Job } from './fetcher.ts'
import { entryFor, type Lane } from './lanes.ts'
import { keyHash, PartFile, partKeys, type PartsPlace } from './part-file.ts'
import { type Places, placedOf, SYNC_TEMPORARY } from './places.ts'
import type { FetchParts } from './small.ts'
import { type Progress, SpanWriter } from './span-writer.ts'
import type { Streams } from './streams.ts'
import type { Follower, Threads } from './threads.ts'

const FILL = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW

const truncate = promisify(ftruncate)

export interface LargeParts extends FetchParts {
  readonly calls: FileCalls
  readonly threads: Threads
  readonly streams: Streams
  /** Where it is remembered what is here of them. */
  readonly stateFolder: string
  readonly random: () => number
}

/**
 * Brings over one large file by many ranges at once, into a temporary file that is kept over interruptions. Rejects as the source does,
 * with `CORRUPT`, or as writing does.
 */
export async function fetchLarge(job: Job, parts: LargeParts, signal: AbortSignal): Promise<void> {
  const path = parts.places.pathOf(job.entry.key)
  const temporary = temporaryOf(job.entry.key, parts.places)
  const { places, calls } = parts
  let file: number | undefined
  try {
    await places.inFolder(folderOf(path), async (inside) => {
      file = await calls.open(`${inside.path}/${posix.basename(temporary)}`, FILL, 0o644)
      return () => undefined
    })
    if (file === undefined) return
    await fill(file, job, parts, signal)
    await publish(file, job, parts)
  } catch (error) {
    // Such as a change at the source: what is here of the file is of no use any more.
    if (isError(error, 'CHANGED', 'NOT_FOUND', 'CORRUPT')) await discard(job.entry.key, parts)
    throw isError(error) || signal.aborted ? error : fileError(error, posix.join(places.root, path))
  } finally {
    if (file !== undefined) await calls.close(file)
  }
}

/** Where the file of a key is gathered; relative to the root. No two syncs write to the same. */
function temporaryOf(key: string, places: Places): string {
  return posix.join(folderOf(places.pathOf(key)), `${SYNC_TEMPORARY}${places.mark}-${keyHash(key)}`)
}

function partsPlace({ stateFolder, places }: Pick<LargeParts, 'stateFolder' | 'places'>): PartsPlace {
  return { stateFolder, mark: places.mark }
}

async function fill(file: number, job: Job, parts: LargeParts, signal: AbortSignal): Promise<void> {
  const { entry, lister } = job
  const stat = await parts.calls.fstat(file)
  const part = PartFile.open(partsPlace(parts), entry, lister.source.name, stat.ino)
  let whole = 0
  const there = (): number => {
    const position = contiguous(entry.size, (block) => part.done(block), whole)
    whole = Math.floor(position / BLOCK_BYTES)
    return position
  }
  let follower: Follower | undefined
  try {
    const isBegun = stat.size === entry.size && spansLeft(entry.size, () => 0).some((_, block) => part.done(block) > 0)
    const present = stat.blocks * 512
    const expected = { ...hashOf(entry), ...(isBegun ? {} : await begin(file, job, parts, part, present, signal)) }
    const reader = parts.threads.follow(file, expected.algorithm)
    follower = reader
    const spans = spansLeft(entry.size, (block) => part.done(block))
    await parts.streams.each(spans, async (span) => {
      // All that is there is hashed first: where nothing is missing before the span, its bytes can be hashed on their way.
      reader.reached(there())
      await fillSpan(file, span, job, parts, { part, reader }, signal)
    })
    reader.reached(there())
    await verify(job, reader, expected.hash)
  } finally {
    await follower?.end().catch(() => undefined)
    part.close()
  }
}

interface Expected {
  readonly algorithm?: 'sha256' | 'md5'
  readonly hash?: string
}

function hashOf({ sha256, md5 }: FileEntry): Expected {
  if (sha256 !== undefined) return { algorithm: 'sha256', hash: sha256 }
  return md5 === undefined ? {} : { algorithm: 'md5', hash: md5 }
}

/** Makes room, and takes what an older version has in common with this one. */
async function begin(
  file: number,
  job: Job,
  parts: LargeParts,
  part: PartFile,
  present: number,
  signal: AbortSignal,
): Promise<Expected> {
  const { entry } = job
  const { bavail, bsize } = await statfs(parts.places.root)
  if (bavail * bsize + present < entry.size) {
    throw new FlotillaError('DISK_FULL', `there is no room for ${entry.key}`, {
      hint: 'Free some space; it is tried again by itself.',
    })
  }
  await truncate(file, 0)
  const delta = await prepareDelta(file, job, parts, signal)
  await truncate(file, entry.size)
  if (delta === undefined) return {}
  const progress = { part: undefined, reader: undefined }
  await parts.streams.each(delta.left, async (span) => fillSpan(file, span, job, parts, progress, signal))
  for (const { end } of spansLeft(entry.size, () => 0)) part.reached(end)
  return { algorithm: 'sha256', hash: delta.sha256 }
}

/** Tries as often as it takes, from where it was; what concerns the file as a whole is for the caller. */
async function fillSpan(
  file: number,
  span: Span,
  job: Job,
  parts: LargeParts,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { lanes, clock, random } = parts
  const allows = (lane: Lane): boolean => lanes.mayHave(lane, job.lister, job.entry)
  const writer = new SpanWriter(file, span, parts, progress, signal)
  for (let failures = 0; writer.position < span.end;) {
    try {
      await lanes.run({ allows, signal }, async (lane) => {
        const entry = entryFor(lane, job.lister, job.entry)
        await writer.from(lane.source, entry)
      })
    } catch (error) {
      const decision = decideRetry(error, { failures, changes: 0 }, random)
      if (signal.aborted || lanes.isOut || decision.do !== 'wait') throw error
      failures += 1
      await clock.sleep(decision.ms, signal)
    }
  }
}

async function verify({ entry, lister }: Job, follower: Follower, hash: string | undefined): Promise<void> {
  if ((await follower.end()) === (hash ?? '')) return
  throw new FlotillaError(
    'CORRUPT',
    `${entry.key} came damaged: it does not match what ${lister.source.name} says of it`,
  )
}

async function publish(file: number, { entry, lister }: Job, parts: LargeParts): Promise<void> {
  const { calls, places } = parts
  await calls.futimes(file, entry.modifiedMs / 1000, entry.modifiedMs / 1000)
  await calls.sync(file)
  const path = places.pathOf(entry.key)
  const placed = placedOf(await calls.fstat(file))
  await places.inFolder(folderOf(path), async (inside: FolderInside) => {
    const from = `${inside.path}/${posix.basename(temporaryOf(entry.key, places))}`
    // Where somebody has put another file there meanwhile, that one was not verified.
    if ((await calls.lstat(from)).ino !== placed.inode) throw new FlotillaError('CORRUPT', `${from} was exchanged`)
    await calls.rename(from, `${inside.path}/${posix.basename(path)}`)
    await syncDirectory(inside.path)
    return () => places.remember(entry, lister.index, placed)
  })
  PartFile.remove(partsPlace(parts), entry.key)
}

async function discard(key: string, { calls, places, stateFolder }: Omit<LargeParts, 'travelled'>): Promise<void> {
  PartFile.remove(partsPlace({ stateFolder, places }), key)
  const temporary = temporaryOf(key, places)
  try {
    await places.inFolder(
      folderOf(temporary),
      async (inside) => {
        await calls.unlink(`${inside.path}/${posix.basename(temporary)}`)
        return () => undefined
      },
      { make: false },
    )
  } catch {
    // It is found by its name in the next round.
  }
}

/** Which temporary files are parts that can be gone on with; by path from the root. */
export function keptParts(parts: Omit<LargeParts, 'travelled'>): (path: string) => boolean {
  const kept = new Set(partKeys(partsPlace(parts)).map((key) => temporaryOf(key, parts.places)))
  return (path) => kept.has(path)
}

/** Parts of files that are not wanted any more. */
export async function dropParts(parts: Omit<LargeParts, 'travelled'>): Promise<void> {
  for (const key of partKeys(partsPlace(parts))) await discard(key, parts)
}
