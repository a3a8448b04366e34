import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import type { Summary } from '../core/sync/summary.ts'
import { Backoff } from '../lib/backoff.ts'
import { callsFor } from '../lib/file-calls.ts'
import { sha256 } from '../lib/hash.ts'
import { PourPools } from '../lib/http-pour.ts'
import { makeFolder } from '../lib/make-folder.ts'
import { OWN_PREFIX } from '../lib/safe-path.ts'
import { removeDatabase } from '../lib/sqlite.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { contentCheck } from './content.ts'
import { fileError } from './faults.ts'
import { Lanes } from './lanes.ts'
import type { PullOptions, RoundOptions } from './options.ts'
import { Placer } from './placer.ts'
import { Places, stateLedger } from './places.ts'
import { Round } from './round.ts'
import { SyncState } from './state.ts'
import { isStateDamage } from './state-database.ts'
import { Streams } from './streams.ts'
import { Threads } from './threads.ts'
import { Throttle } from '../lib/throttle.ts'
import { viewOf } from './view.ts'
import type { Workshop } from './workshop.ts'

/** In the folder that is synced: what is remembered between rounds. */
export const STATE_FOLDER = `${OWN_PREFIX}state`

/** The longest that one request waits for a change. */
const WAIT_MS = 55_000
/** How soon it is tried again when not all came over. */
const AGAIN = { firstMs: 1000, maxMs: 60_000 } as const

export interface RunOptions {
  /** How long after the end of a round the next one begins. */
  readonly repeatMs: number
  /** Waits for changes at the source where it can tell of them, and begins a round as soon as there is one. */
  readonly watch: boolean
  readonly onRound: (summary: Summary) => void
  /** A round ended without a result: no source answered, or what it said cannot be. */
  readonly onError: (error: unknown) => void
}

/** Keeps a folder in step with a source. Only one at a time for the same sources, folder and name, in all processes. */
export class Pull {
  readonly #options: PullOptions
  readonly #threads = new Threads()
  readonly #pours = new PourPools()
  readonly #lanes: Lanes
  #shop: Workshop | undefined
  #wake = new AbortController()

  constructor(options: PullOptions) {
    this.#options = options
    this.#lanes = new Lanes(options.sources, options)
  }

  /**
   * Looks once, and does what follows. Files that could not be brought over are told in the answer. Rejects as listing the sources does,
   * with `LOST_RACE` while another process does the same, and as the file system does where nothing can be written.
   */
  async round(signal: AbortSignal, options: RoundOptions = {}): Promise<Summary> {
    const shop = await this.#open()
    try {
      const selection = await this.#options.select(viewOf(shop, signal))
      return await new Round(shop, selection, signal).run(options)
    } catch (error) {
      throw isStateDamage(error) ? this.#forget(shop, error) : error
    }
  }

  /** Round after round, until the signal is aborted. */
  async run(signal: AbortSignal, { repeatMs, watch, onRound, onError }: RunOptions): Promise<void> {
    const { clock, random } = this.#options
    const again = new Backoff({ ...AGAIN, maxMs: Math.max(AGAIN.firstMs, Math.min(AGAIN.maxMs, repeatMs)), random })
    const canWait = watch && this.#options.sources.some(({ peer }) => peer !== undefined)
    for (let waitMs = 0; !signal.aborted;) {
      let pauseMs = canWait ? 0 : repeatMs
      const wake = this.#wake.signal
      if (wake.aborted) this.#wake = new AbortController()
      try {
        const summary = await this.round(signal, { waitMs, wake })
        onRound(summary)
        if (summary.complete) again.reset()
        waitMs = summary.complete ? WAIT_MS : again.nextMs()
        if (!summary.complete && !canWait) pauseMs = Math.min(repeatMs, again.nextMs())
      } catch (error) {
        if (signal.aborted) return
        onError(error)
        waitMs = 0
        pauseMs = again.nextMs()
      }
      if (pauseMs > 0) await sleepQuietly(clock, pauseMs, AbortSignal.any([signal, this.#wake.signal]))
    }
  }

  /** What lies here of what was brought over or found; nothing before the first round. */
  totals(): { readonly files: number; readonly bytes: number } {
    return this.#shop?.state.totals() ?? { files: 0, bytes: 0 }
  }

  /** Something is other than it was, such as what other nodes show: the next round begins at once. */
  wake(): void {
    this.#wake.abort(new Error('woken'))
  }

  async close(): Promise<void> {
    this.#pours.close()
    await this.#threads.close()
    this.#shop?.state.close()
    this.#shop = undefined
  }

  /** Damage deep within shows only when something there is read; all that was remembered can be found out again. */
  #forget({ state, parts: { stateFolder, places } }: Workshop, cause: unknown): FlotillaError {
    const file = join(stateFolder, `sync-${places.mark}.db`)
    this.#shop = undefined
    try {
      state.close()
    } catch {
      // What is damaged may not even be closed in order.
    }
    removeDatabase(file)
    const hint = 'It was removed: the next round looks at everything anew.'
    return new FlotillaError('CORRUPT', `${file} is damaged`, { file, hint, cause })
  }

  async #open(): Promise<Workshop> {
    if (this.#shop !== undefined) return this.#shop
    const { to, clock, random, sources, name, bandwidth, dryRun: isDry = false, checksum } = this.#options
    const exists = await isFolder(to)
    try {
      if (!exists && !isDry) await makeFolder(to, 0o755)
      const root = exists || !isDry ? await realpath(to) : to
      const stateFolder = join(root, STATE_FOLDER)
      if (!isDry) await makeFolder(stateFolder, 0o700)
      const mark = sha256(JSON.stringify([sources.map((source) => source.name), name])).slice(0, 16)
      const hasState = !isDry || (await isFolder(stateFolder))
      const state = SyncState.open(hasState ? join(stateFolder, `sync-${mark}.db`) : ':memory:', { isDry })
      const calls = this.#options.calls ?? (await callsFor(exists || !isDry ? root : '/'))
      const places = new Places({ root, calls, ledger: stateLedger(state), mark })
      const throttle = new Throttle(clock, bandwidth)
      const parts = {
        lanes: this.#lanes,
        places,
        placer: new Placer(places, clock),
        throttle,
        clock,
        random,
        calls,
        stateFolder,
        pours: this.#pours,
        threads: this.#threads,
        streams: new Streams(clock),
      }
      const isRight = checksum === true ? contentCheck(root, calls) : undefined
      this.#shop = { options: this.#options, state, root, parts, isRight }
      return this.#shop
    } catch (error) {
      throw fileError(error, to)
    }
  }
}

/** Rejects where something else has the name. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  throw new FlotillaError('BAD_REQUEST', `${path} is not a folder`)
}
