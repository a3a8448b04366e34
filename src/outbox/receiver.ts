import { FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { Clock } from '../core/clock.ts'
import type { Growing } from '../core/files/growing.ts'
import type { GivenFile, PutOptions, PutResult, PutTogether, TreeFiles, Turn } from '../core/files/tree-files.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { Part, TreeParts } from '../core/files/tree-parts.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { OperationItem, RowsWish } from '../core/push/child.ts'
import type { IncomingBody, Receiver } from '../core/push/distribution.ts'
import type { Election } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { type GoneOperation, isGone, type Operation, type PutOperation } from '../core/push/operation.ts'
import type { Below, Hello, HelloAnswer, Outcome, SumRow, Sums } from '../core/push/wire.ts'
import { KeyLocks } from '../lib/key-locks.ts'
import { forEachLimited } from '../lib/limited.ts'
import { isKey } from '../lib/safe-path.ts'
import { factsOf, isAnsweredSo, isNews, withSameContent } from './receiver-content.ts'
import { APPLIED, dropped, failure, OLDER, placed } from './receiver-outcomes.ts'
import { FeedingParent } from './receiver-parent.ts'
import { rowsOf, sumsOf } from './sums.ts'

export interface ReceiverOptions {
  /** Made when a parent greets this node, where there is none yet; the same one each time. */
  readonly ledger: () => Promise<OpenLedger>
  /** Those of the folder itself: nothing gets versions of this node. Nobody else writes to it while it is fed. */
  readonly files: TreeFiles & PutTogether
  readonly parts: TreeParts
  readonly index: TreeIndex
  /** Started as a root: refuses parents. */
  readonly isRoot: boolean
  /** As of `FeedingParent`. */
  readonly roots?: { readonly tree: string; readonly election: Election } | undefined
  readonly deep: Receiver['deep']
  /** What keeps nodes below this one from their files. */
  readonly below?: (() => Below | undefined) | undefined
  /** As of `Receiver`. */
  readonly isLeaf: () => boolean
  /** After each row, when it is durable. */
  readonly onRecorded: (operation: Operation) => void
  /** As that of `PushedFiles`, where there are children to pass it on to. */
  readonly onGrowing?: ((growing: Growing, outcome: Promise<PutOperation | undefined>) => void) | undefined
  /** Another parent than before feeds this node, or it lies elsewhere in its tree: the children have to be told. */
  readonly onParent?: (() => void) | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Of those that are not put together, so many at once share the syncs of the disk. */
const AT_ONCE = 32
const NOTHING = new Uint8Array(0)

/** A child: applies what is newer than its row, once it is verified, one operation on a key at a time. */
export class TreeReceiver implements Receiver {
  readonly #options: ReceiverOptions
  readonly #parent: FeedingParent
  readonly #locks = new KeyLocks()

  constructor(options: ReceiverOptions) {
    this.#options = options
    this.#parent = new FeedingParent(options)
  }

  get isLeaf(): boolean {
    return this.#options.isLeaf()
  }

  async hello(hello: Hello, { signal }: Op): Promise<HelloAnswer> {
    const ledger = await this.#options.ledger()
    signal?.throwIfAborted()
    if (await this.#parent.greeted(hello, ledger)) this.#options.onParent?.()
    const { below, roots } = this.#options
    const isRoot = roots === undefined ? undefined : true
    const isFilled = ledger.newest === undefined ? undefined : true
    return { id: ledger.id, heard: this.#parent.lately, isRoot, isFilled, below: below?.() }
  }

  handed(): ReadonlyMap<string, number> {
    return this.#parent.handed
  }

  async operations(items: readonly OperationItem[], op: Op): Promise<readonly Outcome[]> {
    const ledger = await this.#heard()
    op.signal?.throwIfAborted()
    const keys = items.map(({ operation }) => operation.key)
    return this.#locks.withAll(keys, async () => {
      const together = await this.#putTogether(items, ledger, op)
      const outcomes: Outcome[] = []
      await forEachLimited(items.entries(), AT_ONCE, async ([at, item]) => {
        outcomes[at] = await this.#failures(item.operation.key, op, async () => {
          const settled = together.get(item)
          if (settled === undefined) return this.#applied(item, ledger, op)
          if (settled.status === 'rejected') throw settled.reason
          return placed(settled.value)
        })
      })
      return outcomes
    })
  }

  async partBytes(id: string): Promise<number> {
    return this.#options.parts.bytes(id)
  }

  async body(body: IncomingBody, op: Op): Promise<Outcome> {
    const ledger = await this.#heard()
    const { key } = body
    const outcome = Promise.withResolvers<PutOperation | undefined>()
    const onRecorded = (operation: PutOperation): void => outcome.resolve(operation)
    try {
      return await this.#failures(key, op, async () => {
        const part = await this.#options.parts.open(body.id, op)
        try {
          const operation = await this.#received(part, body, outcome.promise, op)
          if (operation === undefined) return await dropped(part, failure('CHANGED', `${key} came to nothing above`))
          return await this.#locks.with(key, async () => this.#place(part, operation, ledger, { ...op, onRecorded }))
        } finally {
          await part.close()
        }
      })
    } catch (error) {
      throw error instanceof BrokenOff ? error.cause : error
    } finally {
      outcome.resolve(undefined)
    }
  }

  async deep(keys: readonly string[], waitMs: number, op: Op): Promise<boolean> {
    return this.#options.deep(keys, waitMs, op)
  }

  async sums(prefix: string, op: Op): Promise<Sums> {
    return sumsOf({ index: this.#options.index, ledger: await this.#heard() }, prefix, op)
  }

  async rows(wish: RowsWish, op: Op): Promise<readonly SumRow[]> {
    return rowsOf({ index: this.#options.index, ledger: await this.#heard() }, wish, op)
  }

  async #heard(): Promise<OpenLedger> {
    const ledger = await this.#options.ledger()
    this.#parent.heard(ledger)
    return ledger
  }

  /** What became of files that are news, and that nothing here can have the content of. */
  async #putTogether(
    items: readonly OperationItem[],
    ledger: OpenLedger,
    op: Op,
  ): Promise<ReadonlyMap<OperationItem, PromiseSettledResult<PutResult>>> {
    const news = ledger.atOnce(() => items.filter((item) => isNews(item, ledger)))
    const files = news.map(({ operation, bytes }): GivenFile => {
      const options = { ...this.#putOptions(operation as PutOperation, ledger, op), isOwn: true }
      return { key: operation.key, bytes: bytes ?? NOTHING, options }
    })
    const settled = await this.#options.files.putAll(files, op)
    return new Map(news.map((item, index) => [item, settled[index] as PromiseSettledResult<PutResult>]))
  }

  /** Under the lock of its key. */
  async #applied({ operation, bytes }: OperationItem, ledger: OpenLedger, op: Op): Promise<Outcome> {
    const { key } = operation
    if (ledger.compare(key, operation.version) < 0) return OLDER
    if (isGone(operation)) return this.#remove(operation, ledger, op)
    if (await this.#isThere(operation, ledger, op)) return { result: 'same' }
    if (bytes === undefined) return { result: 'wanted' }
    return placed(await this.#options.files.put(key, one(bytes), this.#putOptions(operation, ledger, op)))
  }

  async #remove(operation: GoneOperation, ledger: OpenLedger, op: Op): Promise<Outcome> {
    const turn = this.#turn(operation, ledger)
    const result = await this.#options.files.remove(operation.key, { turn, ...op })
    return result === 'failed-condition' ? OLDER : APPLIED
  }

  /** Whether the file in place has that content; then it is noted, and answered as the root does from here on. */
  async #isThere(operation: PutOperation, ledger: OpenLedger, op: Op): Promise<boolean> {
    const { files } = this.#options
    const isThere = await withSameContent({ ...this.#options, ledger }, operation, op, async (file) => {
      if (isAnsweredSo(file, operation)) {
        await this.#turn(operation, ledger).done(file.entry)
        return true
      }
      const body = file.read(0, file.entry.size, op)
      const result = await files.put(operation.key, body, this.#putOptions(operation, ledger, op))
      return result !== 'failed-condition'
    })
    return isThere === true
  }

  /** What has come, whole; undefined where nothing will come of it. */
  async #received(
    part: Part,
    body: IncomingBody,
    outcome: Promise<PutOperation | undefined>,
    op: Op,
  ): Promise<PutOperation | undefined> {
    const { bytes } = part
    if (body.from > bytes) {
      throw new FlotillaError(
        'LOST_RACE',
        `only ${bytes} bytes of ${body.key} are here, and it goes on from ${body.from}`,
      )
    }
    const { onGrowing } = this.#options
    if (onGrowing !== undefined) onGrowing(part.follow(body.key), outcome)
    try {
      await part.append(marked(body.chunks, bytes - body.from), { ...op, isOwn: true })
    } catch (error) {
      // Others need the room more than this one, which has to wait in any case.
      if (isError(error, 'DISK_FULL')) await part.remove()
      throw error
    }
    return body.operation().catch((error: unknown) => {
      throw new BrokenOff(error)
    })
  }

  async #place(part: Part, operation: PutOperation, ledger: OpenLedger, options: PlaceOptions): Promise<Outcome> {
    const { key, version } = operation
    if (ledger.compare(key, version) < 0) return dropped(part, OLDER)
    const result = placed(await part.place(key, this.#putOptions(operation, ledger, options)))
    return result === OLDER ? dropped(part, result) : result
  }

  #putOptions(operation: PutOperation, ledger: OpenLedger, options: PlaceOptions): PutOptions & Op {
    const { size, sha256, modifiedMs } = operation
    if (sha256 === undefined) throw new FlotillaError('BAD_REQUEST', `${operation.key} came without its SHA-256`)
    return {
      size,
      sha256,
      modifiedMs,
      facts: () => factsOf(operation),
      digests: { md5: false, sha256: true },
      turn: this.#turn(operation, ledger, options.onRecorded),
      signal: options.signal,
    }
  }

  #turn<T extends Operation>(operation: T, ledger: OpenLedger, onRecorded?: (operation: T) => void): Turn {
    return {
      isWanted: () => ledger.compare(operation.key, operation.version) >= 0,
      done: async () => {
        if (!(await ledger.record(operation))) return
        this.#options.onRecorded(operation)
        onRecorded?.(operation)
      },
    }
  }

  /** Those of this node are outcomes. */
  async #failures(key: string, { signal }: Op, work: () => Promise<Outcome>): Promise<Outcome> {
    try {
      signal?.throwIfAborted()
      if (!isKey(key)) return failure('BAD_REQUEST', 'no file can have that key')
      return await work()
    } catch (error) {
      if (signal?.aborted === true || error instanceof BrokenOff) throw error
      if (isError(error)) return failure(error.code, error.message)
      this.#options.log.error('an operation of the parent failed', { key, error })
      return failure('INTERNAL', messageOf(error))
    }
  }
}

type PlaceOptions = Op & { readonly onRecorded?: ((operation: PutOperation) => void) | undefined }

/** Wraps what a body rejects with: that is the parent's failure, not ours. */
class BrokenOff extends Error {
  constructor(cause: unknown) {
    super('a body broke off', { cause })
  }
}

/** Without the first bytes: they have come before. */
async function* marked(chunks: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array, void> {
  try {
    let known = bytes
    for await (const chunk of chunks) {
      if (chunk.byteLength > known) yield chunk.subarray(known)
      known = Math.max(0, known - chunk.byteLength)
    }
  } catch (error) {
    throw new BrokenOff(error)
  }
}

async function* one(content: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield content
}
