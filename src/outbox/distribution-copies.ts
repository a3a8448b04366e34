import { isError, messageOf } from '../core/errors.ts'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { isGone, type PutOperation } from '../core/push/operation.ts'
import type { Service } from '../core/service.ts'
import { Bell } from '../lib/bell.ts'
import { operationOf } from './sender-content.ts'
import { factsOf } from './receiver-content.ts'

/** Copies that are fetched at once, and that wait for it: of more, whoever asks next brings it up again. */
const AT_ONCE = 2
const WAITING_MAX = 1000

export interface CopiesOptions {
  readonly tree: string
  readonly ledger: () => Pick<OpenLedger, 'get' | 'compare'> | undefined
  /** Those of the folder itself: a copy is no new version. */
  readonly files: TreeFiles
  /** Finds it elsewhere once more. */
  readonly open: (key: string, op: Op) => Promise<OpenedFile | undefined>
  readonly log: Logger
}

/**
 * Keeps what was not here and was read from elsewhere: fetched in the background, verified against the row of the ledger, and placed
 * as that says. What no row knows, or whose hash it does not, is not kept: nothing could tell whether it is right.
 */
export class Copies implements Service {
  readonly name: string
  readonly #options: CopiesOptions
  readonly #waiting = new Set<string>()
  readonly #busy = new Set<string>()
  readonly #added = new Bell()

  constructor(options: CopiesOptions) {
    this.name = `copies of ${options.tree}`
    this.#options = options
  }

  /** It was found elsewhere. */
  want(key: string): void {
    if (this.#busy.has(key) || this.#waiting.size >= WAITING_MAX || this.#rowOf(key) === undefined) return
    this.#waiting.add(key)
    this.#added.ring()
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: AT_ONCE }, async () => this.#work(signal)))
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [key] = this.#waiting
      if (key === undefined) {
        await this.#added.rung({ signal }).catch(() => undefined)
        continue
      }
      this.#waiting.delete(key)
      this.#busy.add(key)
      try {
        await this.#keep(key, { signal })
      } catch (error) {
        const { log, tree } = this.#options
        const loudness = isError(error, 'DISK_FULL') || isError(error, 'CORRUPT') ? 'warn' : 'debug'
        if (!signal.aborted) log[loudness]('no copy is kept', { tree, key, error: messageOf(error) })
      } finally {
        this.#busy.delete(key)
      }
    }
  }

  async #keep(key: string, op: Op): Promise<void> {
    const { files, open } = this.#options
    const row = this.#rowOf(key)
    const file = row && (await open(key, op))
    if (row === undefined || file === undefined) return
    try {
      const { size, sha256, modifiedMs } = row
      await files.put(key, file.read(0, file.entry.size, op), {
        size,
        sha256,
        modifiedMs,
        facts: () => factsOf(row),
        digests: { md5: false, sha256: true },
        ifNoneMatch: ['*'],
        turn: { isWanted: () => this.#isLast(row), done: async () => undefined },
        ...op,
      })
    } finally {
      await file.close()
    }
  }

  #isLast({ key, version }: PutOperation): boolean {
    return this.#options.ledger()?.compare(key, version) === 0
  }

  #rowOf(key: string): PutOperation | undefined {
    const row = this.#options.ledger()?.get(key)
    if (row === undefined || isGone(row) || row.sha256 === undefined) return undefined
    const operation = operationOf(row)
    return isGone(operation) ? undefined : operation
  }
}
