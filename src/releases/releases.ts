import type {
  ActiveRequest,
  DiffAnswer,
  HistoryAnswer,
  ItemsAnswer,
  ReleaseAnswer,
  ReleaseRequest,
  ReloadAnswer,
  ReloadRequest,
  RollbackRequest,
  WhyAnswer,
} from '../core/api.ts'
import type { StrategyRequest } from '../core/api-rollout.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { ReleaseRecord } from '../core/release.ts'
import type { Store } from '../core/store.ts'
import type { TreeFile, TreeKind } from '../core/tree.ts'
import { type Found, Rollouts } from '../rollout/rollouts.ts'
import type { BlobStore, Swept } from './blobs.ts'
import { Differences } from './differences.ts'
import type { Draft } from './draft.ts'
import { type Head, History, type Loaded } from './history.ts'
import { checkAuthor, checkMessage, checkTree } from './input.ts'
import { lostRace, type MakeDeps, makeRelease } from './make-release.ts'
import { outcomesOf } from './outcomes.ts'
import { requestsOf, requireItems, writeRequests } from './requests.ts'
import { type Out, rollOutAgain, rollOutRequests } from './roll-out.ts'
import { sweepBlobs } from './sweep.ts'

export interface ReleasesOptions {
  readonly store: Store
  readonly blobs: BlobStore
  readonly kinds: readonly TreeKind[]
  readonly clock: Clock
  /** Share of the items that one release may remove without a confirmation, 0 to 1. Default 0.1. */
  readonly guardShare?: number | undefined
}

/** Single files put into, or taken out of, the current release; their blobs are held already. */
export interface FilesChange {
  readonly put?: readonly TreeFile[] | undefined
  readonly delete?: readonly string[] | undefined
  /** Needed for the first release of a tree. */
  readonly kind?: string | undefined
  readonly quarantine?: boolean | undefined
  readonly confirmRemoval?: boolean | undefined
  readonly dryRun?: boolean | undefined
  readonly strategy?: StrategyRequest | undefined
}

/** A release that the service that follows a folder makes of it. */
export interface FolderRequest extends ReleaseRequest {
  /** Names the state of the folder; kept in the record. */
  readonly source?: string
}

const GUARD_SHARE = 0.1
/** Changes to what is current are applied anew when somebody was quicker, so many times. */
const ATTEMPTS = 8
const HISTORY_MAX = 1000
/** So far back is looked for what happened to one dataset. */
const CHANGES_BACK = 50

/**
 * Makes, compares and takes back releases. Any number of these may work on one store, in one process or in many: each
 * release is one commit, and of two that are made from the same state one is `LOST_RACE`.
 */
export class Releases {
  readonly #deps: MakeDeps
  readonly #history: History
  readonly #differences: Differences
  /** What is under way to the nodes. */
  readonly rollouts: Rollouts

  constructor({ store, blobs, kinds, clock, guardShare = GUARD_SHARE }: ReleasesOptions) {
    this.#history = new History(store, blobs)
    this.#differences = new Differences(kinds, this.#history)
    this.rollouts = new Rollouts({ store, clock })
    const { rollouts } = this
    this.#deps = { store, blobs, clock, guardShare, history: this.#history, differences: this.#differences, rollouts }
  }

  /**
   * Makes the whole list of files the next release. Rejects with `BAD_REQUEST`, `TOO_LARGE`, `BLOBS_MISSING`,
   * `CHECK_FAILED` (with problems), `GUARD`, `ROLLOUT_RUNNING` or `LOST_RACE`; nothing was changed then.
   */
  async release(tree: string, request: FolderRequest, author: string, op: Op = {}): Promise<ReleaseAnswer> {
    const { base, files, ...options } = request
    const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    return this.#make(tree, author, base, op, ({ manifest }) => ({
      ...options,
      files: sorted,
      active: manifest.active,
    }))
  }

  /**
   * Rejects as `release` does, and with `NOT_FOUND` for a file to delete that is not there. Without `base` it is applied
   * to whatever is current, also when somebody else releases at the same moment.
   */
  async putFiles(
    tree: string,
    change: FilesChange,
    message: string,
    author: string,
    base?: number,
    op: Op = {},
  ): Promise<ReleaseAnswer> {
    const { put = [], delete: away = [], kind, ...options } = change
    return this.#amend(tree, author, base, op, ({ number, manifest }) => {
      if (number === 0 && kind === undefined) {
        throw new FlotillaError('BAD_REQUEST', `the first release of ${tree} must say its kind`)
      }
      const files = new Map(manifest.files.map((file) => [file.path, file]))
      for (const path of away) if (!files.delete(path)) throw noFile(tree, path)
      for (const file of put) files.set(file.path, file)
      const sorted = [...files.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
      return { ...options, message, kind: kind ?? manifest.kind, files: sorted, active: manifest.active }
    })
  }

  /** A new release with the files and switches of an earlier one. Neither checks nor the guard stop it. */
  async rollback(tree: string, request: RollbackRequest, author: string, op: Op = {}): Promise<ReleaseAnswer> {
    const { to, message = `back to r${to}`, base, strategy } = request
    const { kind, files, active } = (await this.#load(tree, to, op)).manifest
    const draft: Draft = { kind, files, active, message, trusted: true, rollbackTo: to, strategy }
    return this.#make(tree, author, base, op, () => draft)
  }

  /** Switches datasets on or off, all in one release, over what their definitions say. Rejects with `NOT_FOUND`. */
  async setActive(
    tree: string,
    dataset: string | readonly string[],
    request: ActiveRequest,
    author: string,
    op: Op = {},
  ): Promise<ReleaseAnswer> {
    const datasets = [...new Set([dataset].flat())]
    const { active, strategy } = request
    const what = datasets.length <= 10 ? datasets.join(', ') : `${datasets.length} datasets`
    const message = request.message ?? `${active ? 'activate' : 'deactivate'} ${what}`
    return this.#amend(tree, author, undefined, op, async (head) => {
      const { kind, files, active: overrides } = head.manifest
      const others = Object.fromEntries(Object.entries(overrides).filter(([id]) => !datasets.includes(id)))
      const own = await this.#differences.items({ ...head, manifest: { ...head.manifest, active: others } }, op)
      requireItems(tree, own, datasets)
      const stands = new Map(own.map((item) => [item.id, item.active]))
      const needed = datasets.filter((id) => stands.get(id) !== active).map((id) => [id, active] as const)
      const switched = Object.fromEntries([...Object.entries(others), ...needed])
      return { kind, files, message, trusted: true, active: switched, strategy }
    })
  }

  /** Undefined before the first release. */
  async current(tree: string, op: Op = {}): Promise<ReleaseRecord | undefined> {
    checkTree(tree)
    const desired = await this.#history.desired(tree, op)
    return desired && this.#history.get(tree, desired.release, op)
  }

  /** Rejects with `NOT_FOUND`. */
  async get(tree: string, number: number, op: Op = {}): Promise<ReleaseRecord> {
    checkTree(tree)
    return this.#history.get(tree, number, op)
  }

  /** Newest first, at most 1,000. */
  async history(tree: string, limit: number, op: Op = {}): Promise<HistoryAnswer> {
    checkTree(tree)
    const releases = await this.#history.newest(tree, Math.min(limit, HISTORY_MAX), op)
    const outcomes = await outcomesOf(this.#deps, tree, releases, op)
    return { tree, releases, ...(outcomes.size > 0 && { outcomes: Object.fromEntries(outcomes) }) }
  }

  /** Release 0 is the empty tree. Rejects with `NOT_FOUND`. */
  async diff(tree: string, from: number, to: number, op: Op = {}): Promise<DiffAnswer> {
    checkTree(tree)
    return this.#differences.diff(tree, from, to, op)
  }

  /** Without a number, of the current release; before the first there are none. Rejects with `NOT_FOUND`. */
  async items(tree: string, number?: number, op: Op = {}): Promise<ItemsAnswer> {
    const loaded = await this.#headOr(tree, number, op)
    return { tree, release: loaded.number, items: await this.#differences.items(loaded, op) }
  }

  /** Without a number, of the current release; before the first there are none. Rejects with `NOT_FOUND`. */
  async files(tree: string, number?: number, op: Op = {}): Promise<readonly TreeFile[]> {
    return (await this.#headOr(tree, number, op)).manifest.files
  }

  /** The releases that changed one dataset, newest first, at most 20 of the last 50. */
  async changesOf(tree: string, dataset: string, op: Op = {}): Promise<WhyAnswer['history']> {
    checkTree(tree)
    const changes = await this.#differences.of(tree, dataset, op)
    const releases = await this.#history.newest(tree, CHANGES_BACK, op)
    const outcomes = await outcomesOf(this.#deps, tree, releases, op)
    return changes.map((change) => Object.assign({}, change, { outcome: outcomes.get(change.release) }))
  }

  /** Asks every node to do once more what no release asks for. Rejects with `NOT_FOUND`, `BAD_REQUEST`, `TOO_LARGE`. */
  async request(tree: string, request: ReloadRequest, author: string, op: Op = {}): Promise<ReloadAnswer> {
    const { items } = await this.items(tree, undefined, op)
    if (request.node !== undefined) await this.#requireNode(request.node, op)
    const requests = requestsOf({ tree, items, author: checkAuthor(author), atMs: this.#deps.clock.nowMs() }, request)
    return { revision: await writeRequests(this.#deps.store, tree, requests, op) }
  }

  /** The same, in waves. Rejects with `ROLLOUT_RUNNING` and `LOST_RACE` as well. */
  async requestInWaves(tree: string, request: ReloadRequest, out: Out, op: Op = {}): Promise<Found> {
    checkTree(tree)
    return rollOutRequests(this.#deps, tree, request, { ...out, author: checkAuthor(out.author) }, op)
  }

  /**
   * Takes a release that was taken back to the nodes once more. Rejects with `NOT_FOUND`, `ROLLOUT_RUNNING`, `LOST_RACE`,
   * and with `BAD_REQUEST` for one that was not made from what is desired now: nodes would lose what came since.
   */
  async rollOut(tree: string, number: number, out: Out, op: Op = {}): Promise<Found> {
    checkTree(tree)
    return rollOutAgain(this.#deps, tree, number, { ...out, author: checkAuthor(out.author) }, op)
  }

  /** Removes the blobs that none of the last 50 releases of any tree needs and that are older than an hour. */
  async sweep(op: Op = {}): Promise<Swept> {
    return sweepBlobs(this.#deps.store, this.#deps.blobs, this.#history, op)
  }

  async #requireNode(node: string, op: Op): Promise<void> {
    if ((await this.#deps.store.get(keys.joined(node), op)) !== undefined) return
    throw new FlotillaError('NOT_FOUND', `no node ${JSON.stringify(node.slice(0, 64))} has joined`, {
      hint: '`flotilla nodes` lists those that have.',
    })
  }

  async #headOr(tree: string, number: number | undefined, op: Op): Promise<Loaded> {
    checkTree(tree)
    return number === undefined ? this.#history.head(tree, op) : this.#load(tree, number, op)
  }

  async #load(tree: string, number: number, op: Op): Promise<Loaded> {
    checkTree(tree)
    if (number > 0) return this.#history.load(tree, number, op)
    throw new FlotillaError('NOT_FOUND', `there is no release r${number} of ${tree}`)
  }

  /** `#make`, again and again while others are quicker: for changes that mean the same on top of what they did. */
  async #amend(
    tree: string,
    author: string,
    base: number | undefined,
    op: Op,
    draftOf: (head: Head) => Draft | Promise<Draft>,
  ): Promise<ReleaseAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#make(tree, author, base, op, draftOf)
      } catch (error) {
        if (base !== undefined || attempt === ATTEMPTS || !isError(error, 'LOST_RACE')) throw error
      }
    }
  }

  async #make(
    tree: string,
    author: string,
    base: number | undefined,
    op: Op,
    draftOf: (head: Head) => Draft | Promise<Draft>,
  ): Promise<ReleaseAnswer> {
    checkTree(tree)
    const by = checkAuthor(author)
    const head = await this.#history.head(tree, op)
    if (base !== undefined && base !== head.number) throw await lostRace(this.#history, tree, op)
    const draft = await draftOf(head)
    const message = checkMessage(draft.message)
    return makeRelease(this.#deps, { tree, head, author: by, draft: { ...draft, message } }, op)
  }
}

function noFile(tree: string, path: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `${tree} has no file ${JSON.stringify(path.slice(0, 200))}`)
}
