import { FlotillaError } from '../core/errors.ts'
import type { Store, Write } from '../core/store.ts'
import { type Contents, contentsOf } from '../lib/store/backup.ts'
import { UNFINISHED } from './store.ts'
import type { Place } from './store-places.ts'

export interface FillOptions {
  /** What is there already may be replaced. */
  readonly replace: boolean
  readonly onProgress: (text: string) => void
}

export interface Filled {
  readonly written: number
  readonly deleted: number
  /** Where the store is now; clients that saw others list anew. */
  readonly revision: number
}

/** What an etcd takes in one transaction without a flag. */
const BATCH = { changes: 100, bytes: 512 * 1024 }

/** All that can be carried elsewhere. Rejects with `NOT_READY` when the store itself is half filled. */
export async function readContents(store: Store): Promise<Contents> {
  const contents = contentsOf(await store.list(''))
  if (!contents.entries.has(UNFINISHED)) return contents
  throw new FlotillaError('NOT_READY', 'it is half filled itself: a copy into it, or a restore, was not finished')
}

/**
 * Makes a store hold just that. Until it does, a mark in it keeps hubs away, and who runs it again goes on. Rejects with `GUARD`
 * when something else is there, and with `CHANGED` when it does not hold it in the end.
 */
export async function fill(target: Place, contents: Contents, { replace, onProgress }: FillOptions): Promise<Filled> {
  const before = (await target.store.list('')).entries
  const isUnfinished = before.some(({ key }) => key === UNFINISHED)
  if (before.length > 0 && !isUnfinished && !replace) {
    throw new FlotillaError('GUARD', `there are ${before.length} keys already; nothing was changed`, {
      hint: 'Name an empty place, or have what is there deleted with --replace.',
    })
  }
  if (!isUnfinished) await write(target.store, [{ op: 'put', key: UNFINISHED, value: '' }])
  // Revisions are generations and fences as well: they never go back for those who stay.
  await target.raise(contents.revision, (at) => onProgress(`counting up to revision ${contents.revision}: ${at}`))
  const wanted = contents.entries
  const now = new Map((await target.store.list('')).entries.map((entry) => [entry.key, entry]))
  const deletions = [...now.keys()].filter((key) => key !== UNFINISHED && !wanted.has(key))
  const isNew = ([key, value]: readonly [string, string]): boolean =>
    now.get(key)?.value !== value || now.get(key)?.leaseId !== undefined
  const puts = [...wanted].filter(isNew)
  const changes: readonly Write[] = [
    ...deletions.map((key): Write => ({ op: 'delete', key })),
    ...puts.map(([key, value]): Write => ({ op: 'put', key, value })),
  ]
  let done = 0
  for (const batch of inBatches(changes)) {
    await write(target.store, batch)
    done += batch.length
    onProgress(`${done} of ${changes.length} keys`)
  }
  await assertHolds(target.store, wanted)
  const revision = await write(target.store, [{ op: 'delete', key: UNFINISHED }])
  await target.forget()
  return { written: puts.length, deleted: deletions.length, revision }
}

/** Rejects with `CHANGED` when a store holds anything else, what hangs on leases aside. */
export async function assertHolds(store: Store, wanted: ReadonlyMap<string, string>): Promise<void> {
  const there = new Map(contentsOf(await store.list('')).entries)
  there.delete(UNFINISHED)
  const differing = [...new Set([...wanted.keys(), ...there.keys()])].find((key) => wanted.get(key) !== there.get(key))
  if (differing === undefined) return
  throw new FlotillaError('CHANGED', `${differing} was changed meanwhile`, {
    hint: 'Stop every hub on either store, then run it again.',
  })
}

async function write(store: Store, changes: readonly Write[]): Promise<number> {
  const answer = await store.commit({ changes })
  if (!answer.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return answer.revision
}

function* inBatches(changes: readonly Write[]): Iterable<readonly Write[]> {
  let batch: Write[] = []
  let bytes = 0
  for (const change of changes) {
    const size = change.op === 'put' ? Buffer.byteLength(change.value) : 0
    if (batch.length > 0 && (batch.length >= BATCH.changes || bytes + size > BATCH.bytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(change)
    bytes += size
  }
  if (batch.length > 0) yield batch
}
