import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import type { GroupReport } from '../core/files/flip.ts'
import type { NodeFiles } from '../core/files/report.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Progress } from '../core/sync/progress.ts'
import type { Summary } from '../core/sync/summary.ts'

/** What brings files over, round after round. */
export interface Puller {
  /** Where from, without secrets. */
  readonly from: string
  run(signal: AbortSignal): Promise<void>
  /** The next round begins at once. */
  wake(): void
  /** What lies here of what is wanted. */
  totals(): { readonly files: number; readonly bytes: number }
  close(): Promise<void>
}

export interface PullEvents {
  readonly onRound: (summary: Summary) => void
  /** A round ended without a result. */
  readonly onError: (error: unknown) => void
  readonly onProgress: (progress: Progress) => void
}

export interface FilesPullOptions {
  readonly tree: string
  /** Rejects where there is no source yet; tried again then. */
  readonly open: (events: PullEvents, signal: AbortSignal) => Promise<Puller>
  /** Resolves when the sources are others than at the time of opening. */
  readonly moved?: ((signal: AbortSignal) => Promise<void>) | undefined
  /** Of the groups that are flipped together with other nodes. */
  readonly groups: () => Readonly<Record<string, GroupReport>> | undefined
  /** False while others show a generation that is not visible here. */
  readonly isCaughtUp: () => boolean | undefined
  readonly tell: (report: NodeFiles) => void
  readonly clock: Clock
  readonly log: Logger
}

const FAILED_MAX = 20
/** What is under way changes with every file. */
const PROGRESS_MS = 1000

/** Keeps a folder in step with files elsewhere, and tells the cluster how far it is. */
export class FilesPull implements Service {
  readonly name: string
  readonly #options: FilesPullOptions
  #report: NodeFiles
  #puller: Puller | undefined
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(options: FilesPullOptions) {
    this.#options = options
    this.name = `files ${options.tree}`
    const atMs = options.clock.nowMs()
    this.#report = { state: 'pulling', files: 0, bytes: 0, behindSinceMs: atMs, atMs }
  }

  get report(): NodeFiles {
    return this.#report
  }

  /** Whether a round was complete since the start, and none has gone wrong after it. */
  get isInStep(): boolean {
    return this.#report.state === 'in-step'
  }

  wake(): void {
    this.#puller?.wake()
  }

  /** Tells again: what the groups say has changed. */
  repeat(): void {
    this.#tell(this.#report)
  }

  /** Rejects when no source can be opened: it is to be run again then. */
  async run(signal: AbortSignal): Promise<void> {
    this.repeat()
    while (!signal.aborted) {
      const moved = new AbortController()
      const until = AbortSignal.any([signal, moved.signal])
      const puller = await this.#open(until)
      void this.#options.moved?.(until).then(
        () => moved.abort(),
        () => undefined,
      )
      try {
        await puller.run(until)
      } finally {
        this.#puller = undefined
        moved.abort()
        await puller.close()
      }
    }
  }

  async #open(signal: AbortSignal): Promise<Puller> {
    const events: PullEvents = {
      onRound: (summary) => this.#onRound(summary),
      onError: (error) => this.#onError(error),
      onProgress: (progress) => this.#onProgress(progress),
    }
    try {
      this.#puller = await this.#options.open(events, signal)
      return this.#puller
    } catch (error) {
      if (!signal.aborted) this.#onError(error)
      throw error
    }
  }

  #onRound(summary: Summary): void {
    const { tree, log } = this.#options
    const puller = this.#puller
    if (puller === undefined) return
    const { complete, failures, fetched, deleted } = summary
    const isFirst = this.#report.from === undefined
    const moved = fetched + deleted + summary.adopted > 0
    const { files, bytes } = isFirst || moved ? puller.totals() : this.#report
    const failed = failures.slice(0, FAILED_MAX)
    if (moved || !complete) log.info('files were pulled', { tree, fetched, deleted, failed: summary.failed, complete })
    for (const { key, code, message } of failed) log.warn('a file was not pulled', { tree, key, code, message })
    const isBehind = !complete
    this.#tell({
      state: summary.failed > 0 ? 'failed' : isBehind ? 'pulling' : 'in-step',
      from: puller.from,
      files,
      bytes,
      ...(summary.failed > 0 && { failed, pending: { files: summary.failed, bytes: 0 } }),
      ...(isBehind && this.#behind()),
      atMs: 0,
    })
  }

  #onError(error: unknown): void {
    const { tree, log } = this.#options
    const from = this.#puller?.from
    const known = isError(error)
    log[known ? 'warn' : 'error']('files cannot be pulled', { tree, error: messageOf(error) })
    const code = known ? error.code : 'INTERNAL'
    const hint = known ? error.details.hint : undefined
    const { files, bytes, failed } = this.#report
    this.#tell({
      state: 'failed',
      ...(from !== undefined && { from }),
      files,
      bytes,
      ...this.#behind(),
      error: { code, message: messageOf(error), ...(hint !== undefined && { hint }) },
      ...(failed !== undefined && { failed }),
      atMs: 0,
    })
  }

  /** A round that finds nothing to do is none that anybody should hear of. */
  #onProgress({ files, bytes, filesDone, bytesDone }: Progress): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (filesDone >= files || nowMs - this.#toldMs < PROGRESS_MS) return
    this.#toldMs = nowMs
    const { error: _, failed: __, ...report } = this.#report
    const pending = { files: files - filesDone, bytes: Math.max(0, bytes - bytesDone) }
    this.#tell({ ...report, state: 'pulling', pending, ...this.#behind() })
  }

  #behind(): Pick<NodeFiles, 'behindSinceMs'> {
    return { behindSinceMs: this.#report.behindSinceMs ?? this.#options.clock.nowMs() }
  }

  #tell(report: NodeFiles): void {
    const { clock, groups, isCaughtUp, tell } = this.#options
    this.#report = { ...report, atMs: clock.nowMs() }
    const ofGroups = groups()
    const waits = report.state === 'in-step' && isCaughtUp() === false
    tell({
      ...this.#report,
      ...(waits && { state: 'pulling', behindSinceMs: this.#report.atMs }),
      ...(ofGroups !== undefined && { groups: ofGroups }),
    })
  }
}
