import { FlotillaError } from '../../core/errors.ts'
import type { Batch, Change } from '../../core/store.ts'
import { entryOf, rangeOf } from './etcd-keys.ts'
import type { KeyRange, WatchEvent, WatchRequest, WatchResponse } from './messages.ts'

/**
 * What asks for a watch. Several prefixes are one watch over the range that covers them all: so they come in one order,
 * and what lies between them is passed over here. Where something may have come since `after`, it starts at `after` itself, which
 * etcd refuses as soon as that is compacted: from the revision after it, it would leave out a deletion that is the newest
 * thing compacted. Where nothing has, etcd has it going at once; what must catch up waits for the next tenth of a second.
 */
export function watchRequest(
  root: string,
  prefixes: readonly string[],
  { after, revision }: { readonly after: number; readonly revision: number },
): WatchRequest {
  const range = covering(prefixes.map((prefix) => rangeOf(root, prefix)))
  const start = after === revision ? after + 1 : Math.max(after, 1)
  return { createRequest: { ...range, startRevision: start, fragment: true } }
}

function covering(ranges: readonly Required<KeyRange>[]): KeyRange {
  const starts = ranges.map(({ key }) => key).toSorted((one, other) => Buffer.compare(one, other))
  const ends = ranges.map(({ rangeEnd }) => rangeEnd).toSorted((one, other) => Buffer.compare(one, other))
  return { key: starts[0] ?? Buffer.alloc(0), rangeEnd: ends.at(-1) ?? Buffer.alloc(0) }
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

  *take(answer: WatchResponse): Iterable<Batch> {
    if (answer.canceled) throw cancelled(answer, this.#after)
    for (const event of answer.events) {
      const revision = Number(event.kv?.modRevision ?? 0)
      if (revision !== this.#revision) yield* this.#whole()
      this.#revision = revision
      const change = revision > this.#after ? this.#changeOf(event) : undefined
      if (change !== undefined) this.#changes.push(change)
    }
    if (!answer.fragment) yield* this.#whole()
  }

  *#whole(): Iterable<Batch> {
    const changes = this.#changes
    this.#changes = []
    if (changes.length > 0) yield { revision: this.#revision, changes }
  }

  #changeOf({ type, kv }: WatchEvent): Change | undefined {
    if (kv === null) return undefined
    const entry = entryOf(this.#root, kv)
    if (!this.#prefixes.some((prefix) => entry.key.startsWith(prefix))) return undefined
    return type === 'DELETE' ? { op: 'delete', key: entry.key } : { op: 'put', entry }
  }
}

function cancelled({ compactRevision, cancelReason }: WatchResponse, after: number): FlotillaError {
  if (compactRevision === '0') {
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
