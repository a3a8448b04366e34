import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource } from '../core/files/source.ts'
import { isPart } from '../lib/file-answers.ts'
import type { PourPools } from '../lib/http-pour.ts'
import type { PourHead } from '../lib/pour-connection.ts'
import { entryFor, type Lane, type Lanes } from './lanes.ts'
import type { Job } from './fetcher.ts'
import type { Placer } from './placer.ts'
import type { Places, Ready } from './places.ts'
import type { Throttle } from '../lib/throttle.ts'

export interface FetchParts {
  readonly lanes: Lanes
  readonly places: Places
  readonly placer: Placer
  readonly throttle: Throttle
  readonly clock: Clock
  readonly pours: PourPools
  /** Called with the bytes that have travelled. */
  readonly travelled: (bytes: number) => void
}

/** Reads one file that fits into memory. Rejects as the source does, or with `CORRUPT`. */
export async function fetchSmall(job: Job, parts: FetchParts, signal: AbortSignal): Promise<Ready> {
  const { lanes, throttle, travelled } = parts
  const { entry, lister } = job
  const allows = (lane: Lane): boolean => lanes.mayHave(lane, lister, entry)
  const bytes = await lanes.run({ allows, signal }, async (lane) =>
    unlessUnlike(lane, job, lanes, async () => {
      const asked = entryFor(lane, lister, entry)
      const whole = (await poured(lane.source, asked, parts, signal)) ?? (await lane.source.whole?.(asked, { signal }))
      if (whole === undefined) return collect(await lane.source.open(asked, { signal }), entry, parts, signal)
      travelled(whole.byteLength)
      await throttle.take(whole.byteLength, signal)
      return whole
    }),
  )
  verify(entry, bytes, lister)
  return { entry, origin: lister.index, bytes }
}

/**
 * Brings over many small files with one request. `onItem` is told of each that is in its place, or could not be brought;
 * of some it may be told nothing. Rejects as the source does.
 */
export async function fetchBatch(
  jobs: readonly Job[],
  parts: FetchParts,
  signal: AbortSignal,
  onItem: (entry: FileEntry, error: unknown) => void,
): Promise<void> {
  const { lanes, places, throttle, travelled } = parts
  const byKey = new Map(jobs.map((job) => [job.entry.key, job]))
  const allows = ({ source, ...lane }: Lane): boolean =>
    source.peer !== undefined && jobs.every(({ entry, lister }) => lanes.mayHave({ source, ...lane }, lister, entry))
  const ready: Ready[] = []
  await lanes.run({ allows, signal }, async ({ source }) => {
    for await (const item of source.peer?.batch(
      jobs.map(({ entry }) => entry),
      { signal },
    ) ?? []) {
      const job = byKey.get(item.entry.key)
      if (job === undefined) continue
      byKey.delete(item.entry.key)
      if (item.bytes === undefined) continue
      travelled(item.bytes.byteLength)
      try {
        // Where the listing tells no hash, what the other side read is at least what came.
        const hasHash = job.entry.sha256 !== undefined || job.entry.md5 !== undefined
        verify(hasHash ? job.entry : item.entry, item.bytes, job.lister)
        ready.push({ entry: job.entry, origin: job.lister.index, bytes: item.bytes })
      } catch (error) {
        onItem(job.entry, error)
      }
      await throttle.take(item.bytes.byteLength, signal)
    }
  })
  const failed = await places.putAll(ready)
  for (const one of ready) onItem(one.entry, failed.get(one))
}

/** A source that has something else under a name that another one listed is not wrong: it is not asked for that again. */
async function unlessUnlike<T>(lane: Lane, { lister }: Job, lanes: Lanes, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    const isOther = lane.index !== lister.index && isError(error, 'CHANGED', 'NOT_FOUND')
    if (!isOther) throw error
    lanes.isUnlike(lane)
    throw new FlotillaError('CORRUPT', `${lane.source.name} has another file than ${lister.source.name}`, {
      cause: error,
    })
  }
}

/** Over plain HTTP, which costs a fraction; undefined where it cannot be had so, for whatever reason. */
async function poured(
  source: FileSource,
  entry: FileEntry,
  { pours }: FetchParts,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const part = { start: 0, end: entry.size }
  const range = entry.size === 0 ? undefined : source.range?.(entry, part)
  if (range === undefined) return undefined
  const request = { path: range.path, headers: range.headers, signal }
  const accepts = (head: PourHead): boolean => isPart(head, { entry, ...part }, source.name)
  return await pours.of(range.origin, source.name).whole(request, accepts)
}

async function collect(
  body: AsyncIterable<Uint8Array>,
  { key, size }: FileEntry,
  { throttle, travelled }: FetchParts,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.byteLength
    travelled(chunk.byteLength)
    if (length > size) break
    await throttle.take(chunk.byteLength, signal)
  }
  if (length !== size)
    throw new FlotillaError('CORRUPT', `${key} came with another length than the ${size} bytes listed`)
  const [first] = chunks
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
}

/** Throws `CORRUPT`. */
function verify({ key, size, sha256, md5 }: FileEntry, bytes: Uint8Array, { source }: Lane): void {
  const isRight =
    bytes.byteLength === size &&
    (sha256 === undefined || hash('sha256', bytes) === sha256) &&
    (sha256 !== undefined || md5 === undefined || hash('md5', bytes) === md5)
  if (!isRight)
    throw new FlotillaError('CORRUPT', `${key} came damaged: it does not match what ${source.name} says of it`)
}
