import { basename } from 'node:path'
import type { FollowedFolder, ReleaseAnswer, RescanRequest } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { ERRORS, FlotillaError, isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { FileTree, TreeFile } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { BlobStore } from './blobs.ts'
import type { Releases } from './releases.ts'
import { compareFiles } from './rules.ts'
import { ScanCache } from './scan-cache.ts'
import { scanFolder } from './scan.ts'
import { sinkOf, uploadMissing } from './upload.ts'

export interface FollowOptions {
  readonly folder: string
  readonly tree: string
  readonly kind: string
  readonly intervalMs: number
  readonly quarantine?: boolean | undefined
  /** How the folder becomes what a release holds; file by file, as they stand there, without. Called again and again. */
  readonly scan?: ((op: Op) => Promise<FileTree>) | undefined
}

export interface FollowDeps {
  readonly releases: Releases
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly log: Logger
}

export interface FollowStatus extends FollowedFolder {
  readonly tree: string
}

export interface FolderFollower extends Service {
  status(): FollowStatus
  /**
   * Scans the folder now and releases what stands in it, also what was released before and taken back since. Rejects with
   * why it was refused, and with `SOURCE_VANISHED` when it does not come to rest. May be called while the service runs.
   */
  rescan(request: RescanRequest, author: string, op?: Op): Promise<ReleaseAnswer>
}

/** Releases made by it carry this name. */
const AUTHOR = 'folder'
/** Contents count as settled when two looks this far apart agree. */
const SETTLE_MS = 1000
/** How often somebody who waits is made to wait for that. */
const LOOKS_MAX = 30
/** What was refused is tried again: a check may depend on the nodes, and a guard be answered by somebody. */
const RETRY_MS = 60_000
/** So far back it is looked for what was last released from the folder. */
const HISTORY = 50
const NAMED_MAX = 200

/**
 * Releases what stands in a folder, whenever it has changed and come to rest. The folder is scanned, for shared storage
 * tells nobody of changes. Each state of it is released once: a rollback stays until somebody changes the folder again.
 */
export function followFolder(options: FollowOptions, deps: FollowDeps): FolderFollower {
  return new Follower(options, deps)
}

class Follower implements FolderFollower {
  readonly name: string
  readonly #options: FollowOptions
  readonly #deps: FollowDeps
  readonly #cache = new ScanCache()
  #status: FollowStatus
  /** What stood there at the last look. */
  #seen: string | undefined
  /** What needs no release, for it has had one. */
  #released: ReadonlySet<string> = new Set()
  #refused: { readonly state: string; readonly retryAtMs: number } | undefined
  /** Ends when whoever looks just now has done so: two at once would release the same twice. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: FollowOptions, deps: FollowDeps) {
    this.name = `follow ${options.folder}`
    this.#options = options
    this.#deps = deps
    const { folder, tree } = options
    this.#status = { folder, tree, state: 'waiting', sinceMs: deps.clock.nowMs() }
  }

  status(): FollowStatus {
    return this.#status
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#released = await this.#lastReleased(signal)
    const { intervalMs } = this.#options
    for (let goOn = true; goOn;) {
      await this.#inTurn(async () => await this.#look(signal))
      const delayMs = this.#status.state === 'settling' ? Math.min(intervalMs, SETTLE_MS) : intervalMs
      goOn = await sleepQuietly(this.#deps.clock, delayMs, signal)
    }
  }

  async rescan(request: RescanRequest, author: string, op: Op = {}): Promise<ReleaseAnswer> {
    return this.#inTurn(async () => {
      try {
        const tree = await this.#atRest(op)
        return await this.#release(tree, { ...request, author }, op)
      } catch (error) {
        if (isError(error)) this.#refuse(error)
        throw error
      }
    })
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  async #scan(op: Op): Promise<FileTree> {
    if (this.#options.scan !== undefined) return await this.#options.scan(op)
    return scanFolder(this.#options.folder, { clock: this.#deps.clock, cache: this.#cache }, op)
  }

  async #atRest(op: Op): Promise<FileTree> {
    let before: string | undefined
    for (let look = 0; look < LOOKS_MAX; look++) {
      const tree = await this.#scan(op)
      const state = nameOf(tree)
      if (state === before) return tree
      before = state
      await this.#deps.clock.sleep(SETTLE_MS, op.signal)
    }
    throw new FlotillaError('SOURCE_VANISHED', `${this.#options.folder} does not come to rest; nothing was released`, {
      hint: 'Something writes into it all the time: look what, or try again later.',
    })
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    try {
      const tree = await this.#scan({ signal })
      const state = nameOf(tree)
      const isSettled = state === this.#seen
      this.#seen = state
      if (!isSettled) this.#refused = undefined
      if (this.#released.has(state)) this.#become('released')
      else if (!isSettled) this.#become('settling')
      else if (state !== this.#refused?.state || clock.monotonicMs() >= this.#refused.retryAtMs) {
        this.#refused = { state, retryAtMs: clock.monotonicMs() + RETRY_MS }
        await this.#release(tree, { author: AUTHOR }, { signal })
      }
    } catch (error) {
      if (signal.aborted) return
      if (!isError(error)) throw error
      this.#refuse(error)
    }
  }

  async #release(tree: FileTree, by: RescanRequest & { readonly author: string }, op: Op): Promise<ReleaseAnswer> {
    const { releases, blobs, log } = this.#deps
    const { folder, tree: name, kind, quarantine } = this.#options
    const state = nameOf(tree)
    await uploadMissing(sinkOf(blobs), tree, op)
    await blobs.sync(op)
    const { files } = tree
    const { author, message = messageOf(folder, await releases.files(name, undefined, op), files), ...confirmed } = by
    const request = { kind, files, message, source: state, quarantine, ...confirmed }
    const answer = await releases.release(name, request, author, op)
    this.#released = new Set([state])
    this.#become('released')
    if (!answer.changed) return answer
    const { number, changes } = answer.release
    log.info('released a folder', { folder, tree: name, release: number, ...changes })
    for (const { path, problem } of answer.quarantined) {
      log.warn('kept the last good version of a file', {
        folder,
        file: path,
        code: problem.code,
        error: problem.message,
      })
    }
    return answer
  }

  #refuse(error: FlotillaError): void {
    const { code, message, details } = error
    // What may pass by itself is tried again at the next look.
    if (ERRORS[code].retry) this.#refused = undefined
    // Its turn comes when the rollout before it has ended: nothing is wrong with it.
    if (code === 'ROLLOUT_RUNNING') {
      this.#become('waiting')
      return
    }
    if (this.#become('refused', { code, message, problems: details.problems ?? [] })) {
      this.#deps.log.warn('refused a folder', { folder: this.#options.folder, code, error: message })
    }
  }

  /** Answers whether that is news. */
  #become(state: FollowStatus['state'], error?: FollowStatus['error']): boolean {
    if (this.#status.state === state && this.#status.error?.message === error?.message) return false
    const { folder, tree } = this.#options
    this.#status = { folder, tree, state, sinceMs: this.#deps.clock.nowMs(), error }
    return true
  }

  /**
   * After a restart: the state last released by this service, and what somebody released by hand since. So the same is
   * not released again, and a rollback is not taken back.
   */
  async #lastReleased(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const { tree } = this.#options
    const { releases } = await this.#deps.releases.history(tree, HISTORY, { signal })
    const own = releases.find(({ source }) => source !== undefined)?.source
    const newest = releases.find(({ rollbackTo }) => rollbackTo === undefined)?.number
    const files = await this.#deps.releases.files(tree, newest, { signal })
    return new Set([nameOf({ files }), ...(own === undefined ? [] : [own])])
  }
}

function nameOf({ files, problems = [] }: Pick<FileTree, 'files' | 'problems'>): string {
  const errors = problems.filter(({ severity }) => severity === 'error')
  return sha256(JSON.stringify([files.map((file) => [file.path, file.sha256]), errors]))
}

function messageOf(folder: string, before: readonly TreeFile[], after: readonly TreeFile[]): string {
  const changes = compareFiles(before, after)
  const [only] = changes
  const isShort = changes.length === 1 && only !== undefined && only.path.length <= NAMED_MAX
  return `${basename(folder)}: ${isShort ? `${only.path} ${only.change}` : `${changes.length} files changed`}`
}
