import { constants } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { isError } from '../core/errors.ts'
import { type BlockHashes, BLOCKS } from '../core/files/peer.ts'
import { differing, joinPieces, type Span } from '../core/sync/blocks.ts'
import { openFileInside } from '../lib/inside.ts'
import { keyPath } from '../lib/safe-path.ts'
import type { Job } from './fetcher.ts'
import type { LargeParts } from './large.ts'

/** Of the older version so many large blocks, spread over it, are compared first: where none is the same, none will be. */
const SAMPLES = 16
/** Hashed with one request to the thread. */
const GROUP = 32
/** Of the large blocks that differ; beyond it a comparison of the small ones does not pay. */
const SHARE_MAX = 0.5

const SMALL_IN_LARGE = BLOCKS.large / BLOCKS.small

export interface Delta {
  /** What has to be fetched; all else is in its place. */
  readonly left: readonly Span[]
  /** Of the whole file. */
  readonly sha256: string
}

/**
 * Fills `file` with what the version of the file that is here has in common with the one at the source. Undefined where there is none, the
 * source has no hashes of blocks, or they have too little in common. Needs descriptor paths, as Linux has them.
 */
export async function prepareDelta(
  file: number,
  job: Job,
  parts: LargeParts,
  signal: AbortSignal,
): Promise<Delta | undefined> {
  const { entry, lister } = job
  const { peer } = lister.source
  if (peer === undefined || process.platform !== 'linux') return undefined
  const old = await openOld(job, parts)
  if (old === undefined) return undefined
  try {
    const theirs = await peer.blocks(entry, { signal })
    if (theirs === undefined || theirs.hashes.byteLength !== count(entry.size, BLOCKS.large) * BLOCKS.hashBytes) {
      return undefined
    }
    const large = await differingLarge(old.file, old.size, theirs, parts)
    if (large === undefined) return undefined
    const small = await differingSmall(old.file, large, job, parts, signal)
    if (small === undefined) return undefined
    await copyFile(`/proc/self/fd/${old.file}`, `/proc/self/fd/${file}`, constants.COPYFILE_FICLONE)
    return { left: joinPieces(small, BLOCKS.small, entry.size, BLOCKS.small), sha256: theirs.sha256 }
  } catch (error) {
    if (isError(error, 'CHANGED', 'NOT_FOUND') || signal.aborted) throw error
    return undefined
  } finally {
    await parts.calls.close(old.file)
  }
}

async function openOld(
  { entry }: Job,
  { places, calls }: LargeParts,
): Promise<{ file: number; size: number } | undefined> {
  try {
    const path = keyPath(entry.key)
    const there = await calls.lstat(posix.join(places.root, path))
    if (!there.isFile() || there.size < BLOCKS.large) return undefined
    return { file: await openFileInside(places.root, path, calls), size: there.size }
  } catch {
    return undefined
  }
}

/** The large blocks that are not the same here; undefined where that is too many. */
async function differingLarge(
  file: number,
  size: number,
  theirs: BlockHashes,
  { threads }: LargeParts,
): Promise<readonly number[] | undefined> {
  const total = theirs.hashes.byteLength / BLOCKS.hashBytes
  const ours = Math.min(count(size, BLOCKS.large), total)
  const samples = [...new Set(Array.from({ length: SAMPLES }, (_, index) => Math.floor((index * ours) / SAMPLES)))]
  const { large } = await threads.blocks(file, samples)
  const isHopeless = samples.every((block, index) => !isSame(large, index, theirs.hashes, block))
  if (isHopeless) return undefined
  const hashes = new Uint8Array(ours * BLOCKS.hashBytes)
  for (let first = 0; first < ours; first += GROUP) {
    const within = range(first, Math.min(ours, first + GROUP))
    hashes.set((await threads.blocks(file, within)).large, first * BLOCKS.hashBytes)
  }
  const differ = differing(hashes, theirs.hashes, BLOCKS.hashBytes)
  return differ.length > total * SHARE_MAX ? undefined : differ
}

async function differingSmall(
  file: number,
  large: readonly number[],
  { entry, lister }: Job,
  { threads }: LargeParts,
  signal: AbortSignal,
): Promise<readonly number[] | undefined> {
  const small: number[] = []
  for (let start = 0; start < large.length; start += GROUP) {
    const within = large.slice(start, start + GROUP)
    const theirs = await lister.source.peer?.blocks(entry, { within, signal })
    if (theirs === undefined) return undefined
    const ours = await threads.blocks(file, within)
    let at = 0
    for (const [index, block] of within.entries()) {
      const length = smallIn(block, entry.size) * BLOCKS.hashBytes
      const hashes = theirs.hashes.subarray(at, at + length)
      if (hashes.byteLength !== length) return undefined
      small.push(...differing(ours.small[index] ?? new Uint8Array(), hashes, BLOCKS.hashBytes, block * SMALL_IN_LARGE))
      at += length
    }
  }
  return small
}

function smallIn(large: number, size: number): number {
  return count(Math.min(BLOCKS.large, size - large * BLOCKS.large), BLOCKS.small)
}

function isSame(ours: Uint8Array, our: number, theirs: Uint8Array, their: number): boolean {
  const { hashBytes } = BLOCKS
  const a = ours.subarray(our * hashBytes, (our + 1) * hashBytes)
  return differing(a, theirs.subarray(their * hashBytes, (their + 1) * hashBytes), hashBytes).length === 0
}

function range(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, index) => start + index)
}

const count = (size: number, piece: number): number => Math.ceil(size / piece)
