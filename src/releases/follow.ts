import { basename } from 'node:path'
import type { FollowedFolder } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { ERRORS, type FlotillaError, isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { FileTree, TreeFile } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { BlobStore } from './blobs.ts'
import type { FolderTree } from './folder-tree.ts'
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
}

/** Releases made by it carry this name. */
const AUTHOR = 'folder'
/** Contents count as settled when two looks this far apart agree. */
const SETTLE_MS = 1000
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
      await this.#look(signal)
      const delayMs = this.#status.state === 'settling' ? Math.min(intervalMs, SETTLE_MS) : intervalMs
      goOn = await sleepQuietly(this.#deps.clock, delayMs, signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    try {
      const tree = await scanFolder(this.#options.folder, { clock, cache: this.#cache }, { signal })
      const state = nameOf(tree)
      const isSettled = state === this.#seen
      this.#seen = state
      if (!isSettled) this.#refused = undefined
      if (this.#released.has(state)) this.#become('released')
      else if (!isSettled) this.#become('settling')
      else if (state !== this.#refused?.state || clock.monotonicMs() >= this.#refused.retryAtMs) {
        this.#refused = { state, retryAtMs: clock.monotonicMs() + RETRY_MS }
        await this.#release(tree, state, signal)
      }
    } catch (error) {
      if (signal.aborted) return
      if (!isError(error)) throw error
      this.#refuse(error)
    }
  }

  async #release(tree: FolderTree, state: string, signal: AbortSignal): Promise<void> {
    const { releases, blobs, log } = this.#deps
    const { folder, tree: name, kind, quarantine } = this.#options
    await uploadMissing(sinkOf(blobs), tree, { signal })
    await blobs.sync({ signal })
    const { files } = tree
    const message = messageOf(folder, await releases.files(name, undefined, { signal }), files)
    const request = { kind, files, message, source: state, quarantine }
    const answer = await releases.release(name, request, AUTHOR, { signal })
    this.#released = new Set([state])
    this.#become('released')
    if (!answer.changed) return
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
  }

  #refuse(error: FlotillaError): void {
    const { code, message, details } = error
    // What may pass by itself is tried again at the next look.
    if (ERRORS[code].retry) this.#refused = undefined
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
