import type { CatalogProposal } from '../core/api-catalog.ts'
import type { ReleaseAnswer } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { type ErrorCode, ERRORS, FlotillaError, isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import { Backoff } from '../lib/backoff.ts'
import { together } from '../lib/together.ts'
import { Wake } from '../lib/wake.ts'
import type { CatalogLook, CatalogNode, CatalogTree } from '../targets/geoserver/local.ts'
import { filesWith, messageFor, type Proposed, proposedBy } from './next-release.ts'
import type { ProposerMemory } from './proposer-memory.ts'
import { ReleasedFiles, type ReleaseHub } from './released.ts'
import { type Draft, sendRelease } from './send-release.ts'
import { VersionsFile } from './versions-file.ts'

export interface ProposerOptions {
  readonly tree: string
  readonly node: string
  /** Whether what is changed here belongs into releases without anybody's word, and so the first one may be made of it. */
  readonly isSource: boolean
  /** Whether changes of that path belong into releases without anybody's word. */
  readonly adopts: (path: string) => boolean
  readonly catalog: CatalogNode
  readonly hub: ReleaseHub
  readonly memory: ProposerMemory
  /** Whether anything was ever released. */
  readonly isReleased: (op: Op) => Promise<boolean>
  /** Called after `status` changed. */
  readonly onStatus: () => void
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** How long it takes at most until what may have passed by itself is tried again. */
const RETRY_MAX_MS = 30_000
/** What was refused may pass because something else changed: the nodes, or the checks. */
const REFUSED_MS = 60_000
const IDLE_MS = 60_000
const RACES: ReadonlySet<ErrorCode> = new Set(['LOST_RACE', 'SOURCE_VANISHED', 'BLOBS_MISSING'])
/** Before the first release two looks this far apart must agree. */
const SETTLE_MS = 1000
const FIRST_MS = 5000

/** How long to wait for news before the next turn. */
type Pause = number

interface LeftOut {
  readonly version: string
  readonly error: NonNullable<CatalogProposal['error']>
  readonly untilMs: number
}

/**
 * Makes releases of what is changed on this node, where its role and policies say so or a person did. Each is made on top of the release
 * that it was compared with: of two nodes that release at once one looks again.
 */
export class Proposer implements Service {
  readonly name: string
  readonly #options: ProposerOptions
  readonly #released: ReleasedFiles
  readonly #versions: VersionsFile
  readonly #wake: Wake<'look'>
  readonly #failures: Backoff
  /** Confirmed by a person, by key and version: too much may go with these. */
  readonly #confirmed = new Map<string, string>()
  #refused: { readonly id: string; readonly untilMs: number } | undefined
  /** What a check left out of a release that had more: tried again now and then, and when it changes. By key. */
  readonly #leftOut = new Map<string, LeftOut>()
  #status: CatalogProposal = { state: 'none' }

  constructor(options: ProposerOptions) {
    this.#options = options
    this.name = `propose ${options.tree}`
    this.#released = new ReleasedFiles(options.tree, options.hub)
    this.#versions = new VersionsFile(options.catalog, options.clock)
    this.#wake = new Wake(options.clock)
    this.#failures = new Backoff({ firstMs: 500, maxMs: RETRY_MAX_MS, random: options.random })
  }

  get status(): CatalogProposal {
    return this.#status
  }

  /** A person said that these versions are to be released, whatever goes with them, and also if they were taken back before. */
  confirm(versions: ReadonlyMap<string, string>): void {
    for (const [key, version] of versions) this.#confirmed.set(key, version)
    this.#options.memory.letGo([...versions.keys()])
    this.#refused = undefined
    this.#wake.poke('look')
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#options.memory.load()
    await together([async (either) => await this.#listen(either), async (either) => await this.#work(either)], signal)
  }

  async #listen(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#options.catalog.looks(signal)) this.#wake.poke('look')
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ms = await this.#turn(signal)
      await this.#wake.wait({ ms, signal })
    }
  }

  async #turn(signal: AbortSignal): Promise<Pause> {
    try {
      const look = this.#options.catalog.look()
      const pause = look === undefined ? await this.#first({ signal }) : await this.#propose(look, { signal })
      this.#failures.reset()
      return pause
    } catch (error) {
      if (signal.aborted) return 0
      if (!isError(error)) throw error
      return this.#fail(error)
    }
  }

  /** The first release is everything that is here, once it has come to rest and GeoServer has said what it is. */
  async #first(op: Op): Promise<Pause> {
    const { isSource, isReleased, catalog, clock, node } = this.#options
    if (!isSource || (await isReleased(op))) return FIRST_MS
    const before = await catalog.scan(op)
    await clock.sleep(SETTLE_MS, op.signal)
    const tree = await catalog.scan(op)
    if (stateOf(tree) !== stateOf(before)) return SETTLE_MS
    if ((await this.#versions.get(op)) === undefined) {
      throw new FlotillaError(
        'NOT_READY',
        'GeoServer does not answer: the first release must say which version it is',
        {
          hint: 'Start GeoServer, or correct `url` and `passwordFile`.',
        },
      )
    }
    const { files } = tree
    await catalog.offered(new Map([...tree.catalog.entries.values()].map(({ key, digest }) => [key, digest])))
    await this.#release({ base: 0, files, fresh: files, tree, message: `the data directory of node ${node}` }, op)
    return FIRST_MS
  }

  async #propose(look: CatalogLook, op: Op): Promise<Pause> {
    const { memory, clock, node, catalog } = this.#options
    const wished = proposedBy(look)
    memory.seen(look, wished)
    const due = [...wished.filter((one) => !memory.isHeld(one)), ...(await this.#passwords(look, op))]
    const nowMs = clock.monotonicMs()
    const ready = due.filter(({ key, version }) => !this.#isLeftOut(key, version, nowMs))
    if (ready.length === 0) return await this.#rest(wished, due, nowMs)
    const id = JSON.stringify([look.release, ready.map(({ key, version }) => [key, version])])
    const restMs = this.#refused?.id === id ? this.#refused.untilMs - nowMs : 0
    if (restMs > 0) return restMs
    this.#refused = { id, untilMs: nowMs + REFUSED_MS }
    const files = filesWith(await this.#released.of(look.release, op), ready)
    const fresh = ready.flatMap(({ local }) => (local === undefined ? [] : [local]))
    const message = messageFor(ready, node)
    const confirmRemoval = this.#isConfirmed(ready)
    await catalog.offered(new Map(ready.map(({ key, local }) => [key, local?.digest])))
    const answer = await this.#release(
      { base: look.release, tree: look.tree, files, fresh, message, confirmRemoval },
      op,
    )
    this.#refused = undefined
    const taken = this.#withoutLeftOut(ready, answer)
    memory.released(taken, answer.release.number)
    for (const { key } of taken) this.#confirmed.delete(key)
    await memory.save()
    return 0
  }

  /** Nothing can be released now: says whether something waits. */
  async #rest(wished: readonly Proposed[], due: readonly Proposed[], nowMs: number): Promise<Pause> {
    const { memory } = this.#options
    await memory.save()
    const [first] = due
    const left = first && this.#leftOut.get(first.key)
    if (left !== undefined) {
      this.#become({ state: 'refused', error: left.error })
      return Math.max(0, left.untilMs - nowMs)
    }
    this.#become(wished.length === 0 ? { state: 'none' } : { state: 'waiting', error: memory.why() })
    return IDLE_MS
  }

  #isLeftOut(key: string, version: string, nowMs: number): boolean {
    const left = this.#leftOut.get(key)
    if (left?.version === version && nowMs < left.untilMs) return true
    this.#leftOut.delete(key)
    return false
  }

  #withoutLeftOut(proposed: readonly Proposed[], { quarantined }: ReleaseAnswer): readonly Proposed[] {
    const problems = new Map(quarantined.map(({ path, problem }) => [path, problem]))
    const untilMs = this.#options.clock.monotonicMs() + REFUSED_MS
    return proposed.filter(({ key, version, local, before }) => {
      const problem = problems.get(local?.path ?? before ?? '')
      if (problem === undefined) return true
      const { code, message, file, hint } = problem
      const error = { code, message: `${file}: ${message}`, ...(hint !== undefined && { hint }) }
      this.#leftOut.set(key, { version, error, untilMs })
      this.#options.log.warn('left a change out of the release', { key, file, code, error: message })
      return false
    })
  }

  async #passwords(look: CatalogLook, op: Op): Promise<readonly Proposed[]> {
    const { memory, adopts } = this.#options
    if (![...look.tree.catalog.entries.values()].some(({ encrypted }) => encrypted.length > 0)) return []
    const files = await this.#released.of(look.release, op)
    const changed = memory.passwords.changed(look, new Map(files.map(({ path, sha256 }) => [path, sha256])))
    return changed.filter(({ local }) => adopts(local?.path ?? ''))
  }

  /** Whether a person said of everything that goes that it may. */
  #isConfirmed(proposed: readonly Proposed[]): boolean {
    const gone = proposed.filter(({ local }) => local === undefined)
    return gone.length > 0 && gone.every(({ key, version }) => this.#confirmed.get(key) === version)
  }

  async #release(draft: Omit<Draft, 'versions'>, op: Op): Promise<ReleaseAnswer> {
    const { hub, tree: name, log } = this.#options
    const answer = await sendRelease(hub, name, { ...draft, versions: await this.#versions.get(op) }, op)
    const { changed, release } = answer
    const { number, message } = release
    if (changed) log.info('released what was changed on this node', { tree: name, release: number, message })
    this.#become({ state: 'none', ...(changed && { released: number }) })
    return answer
  }

  #fail(error: FlotillaError): Pause {
    const { code, message, details } = error
    const hint = hintFor(error, this.#options)
    const mayPass = ERRORS[code].retry
    if (mayPass) this.#refused = undefined
    const why = { code, message, ...(hint !== undefined && { hint }) }
    const isNews = this.#become({ state: mayPass ? 'waiting' : 'refused', error: why })
    // Somebody was quicker, or the file changed once more: the next look tells.
    if (isNews && !RACES.has(code)) {
      const problems = details.problems?.slice(0, 3)
      this.#options.log.warn('what was changed on this node is not released', { code, error: message, problems })
    }
    return mayPass ? this.#failures.nextMs() : REFUSED_MS
  }

  /** Answers whether that is news. */
  #become(next: CatalogProposal): boolean {
    const released = next.released ?? this.#status.released
    const status = { ...next, ...(released !== undefined && { released }) }
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return false
    this.#status = status
    this.#options.onStatus()
    return true
  }
}

function stateOf({ files }: CatalogTree): string {
  return JSON.stringify(files.map(({ path, sha256 }) => [path, sha256]))
}

function hintFor({ code, details }: FlotillaError, { tree, node }: ProposerOptions): string | undefined {
  if (code === 'FORBIDDEN') {
    return `This node may not make releases. Where the hub is, type: flotilla token join-code --source ${tree}, and join again as ${node} with --replace; or name a token in \`tokenFile\`.`
  }
  if (code === 'GUARD') return 'If it is meant, say so with `flotilla catalog adopt` for what was deleted.'
  return details.hint
}
