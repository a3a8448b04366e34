import { FlotillaError } from '../../core/errors.ts'
import type { Batch, Change } from '../../core/store.ts'
import { entryOf, rangeOf } from './etcd-keys.ts'
import type { Rpc } from './grpc-connection.ts'
import { decodeWatch, encodeWatchCreate, type KeyRange, type WatchAnswer, type WatchEvent } from './messages.ts'

/**
 * The call that watches. Several prefixes are one watch over the range that covers them all: so they come in one order,
 * and what lies between them is passed over here. Where something may have come since `after`, it starts at `after` itself, which
 * etcd refuses as soon as that is compacted: from the revision after it, it would leave out a deletion that is the newest
 * thing compacted. Where nothing has, etcd has it going at once; what must catch up waits for the next tenth of a second.
 */
export function watchCall(
  root: string,
  prefixes: readonly string[],
  { after, revision }: { readonly after: number; readonly revision: number },
): Rpc {
  const range = covering(prefixes.map((prefix) => rangeOf(root, prefix)))
  const start = after === revision ? after + 1 : Math.max(after, 1)
  return { path: '/etcdserverpb.Watch/Watch', message: encodeWatchCreate(range, start).bytes }
}

function covering(ranges: readonly Required<KeyRange>[]): KeyRange {
  const starts = ranges.map(({ key }) => key).toSorted()
  const ends = ranges.map(({ end }) => end).toSorted()
  return { key: starts[0] ?? '', end: ends.at(-1) ?? '' }
}

/** The commits in what etcd sends, whole: it may send one in several messages. Throws `COMPACTED`. */
export class Batches {
  readonly #root: string
  readonly #prefixes: readonly string[]
  readonly #after: number
  #revision = 0
  #changes: Change[] = []

  constructor(root: string, prefixes: readonly string[], after: number) {
    this.#root = root
    this.#prefixes = prefixes
    this.#after = after
  }

  *take(message: Buffer): Iterable<Batch> {
    const answer = decodeWatch(message)
    if (answer.canceled) throw cancelled(answer, this.#after)
    for (const event of answer.events) {
      const { modRevision } = event.kv
      if (modRevision !== this.#revision) yield* this.#whole()
      this.#revision = modRevision
      const change = this.#changeOf(event)
      if (change !== undefined) this.#changes.push(change)
    }
    if (!answer.fragment) yield* this.#whole()
  }

  *#whole(): Iterable<Batch> {
    const changes = this.#changes
    this.#changes = []
    if (changes.length > 0) yield { revision: this.#revision, changes }
  }

  #changeOf({ isDelete, kv }: WatchEvent): Change | undefined {
    const key = kv.key.slice(this.#root.length)
    if (kv.modRevision <= this.#after || !this.#prefixes.some((prefix) => key.startsWith(prefix))) return undefined
    return isDelete ? { op: 'delete', key } : { op: 'put', entry: entryOf(this.#root, kv) }
  }
}

function cancelled({ compactRevision, cancelReason }: WatchAnswer, after: number): FlotillaError {
  if (compactRevision === 0) {
    const isRefused = cancelReason.includes('permission denied')
    return new FlotillaError(isRefused ? 'FORBIDDEN' : 'UNREACHABLE', `etcd ended the watch: ${cancelReason}`)
  }
  return new FlotillaError(
    'COMPACTED',
    `revision ${after} is no longer held: etcd is compacted to ${compactRevision}`,
    {
      hint: 'List again and watch from the revision of the listing.',
    },
  )
}
