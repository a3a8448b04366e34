import { readFile, rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { FileSource } from '../core/files/source.ts'
import type { Logger } from '../core/log.ts'
import {
  chunkTimes,
  type ChunkTimes,
  metaKey,
  type ModelSet,
  PRESSURE_DAY,
  selectModels,
} from '../core/sync/open-meteo.ts'
import { type GenericSelection, select, type Selection } from '../core/sync/selection.ts'
import { pastDays, type TimeSpan, years } from '../core/sync/times.ts'
import { writeAtomic } from '../lib/atomic-file.ts'
import type { S3Credentials } from '../lib/s3/sign.ts'
import type { Secret } from '../lib/secret.ts'
import type { Summary } from '../core/sync/summary.ts'
import type { PullOptions, RoundView } from '../sync/options.ts'
import { Pull, type RunOptions, STATE_FOLDER } from '../sync/pull.ts'
import { refuseNested } from './sync-apart.ts'
import { Missing } from './sync-missing.ts'
import { openSources } from './late-source.ts'
import { type FoundTree, keyApart } from './sync-sources.ts'

const DAY_MS = 86_400_000

export interface SyncSpec {
  /** Folders, absolute, and URLs, which may hold their key as `apikey=`; all have the same files. */
  readonly from: readonly string[]
  /** Opened already; asked after the others, and closed with them. */
  readonly others?: readonly FileSource[]
  readonly to: string
  readonly what: Wanted
  /** For the URLs that hold none. */
  readonly apikey: Secret | undefined
  readonly s3: S3Credentials | undefined
}

export type Wanted =
  | { readonly models: ModelSet; readonly days: number; readonly years: readonly [number, number] | undefined }
  | (Omit<GenericSelection, 'span'> & { readonly days: number | undefined })

export interface SyncDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

type Manner = Omit<PullOptions, 'sources' | 'to' | 'select' | 'name' | 'layout' | 'clock' | 'random' | 'log'>

/** One folder that is kept in step with its sources. */
export interface OpenedSync {
  /** For messages. */
  readonly name: string
  /** As `Pull.round`. */
  round(signal: AbortSignal): Promise<Summary>
  /** As `Pull.run`. */
  run(signal: AbortSignal, options: RunOptions): Promise<void>
  /** As `Pull.wake`. */
  wake(): void
  /** As `Pull.totals`. */
  totals(): { readonly files: number; readonly bytes: number }
  close(): Promise<void>
}

/** Opens the sources and the folder. Rejects with what is wrong with them. */
export async function openSync(spec: SyncSpec, manner: Manner, deps: SyncDeps): Promise<OpenedSync> {
  const { others = [], to, what, s3 } = spec
  const { clock, log, env, signal } = deps
  const models = 'models' in what
  for (const one of spec.from) if (isAbsolute(one)) await refuseNested(one, to)
  const memory = await FoundBefore.read(to, models)
  const common = { s3, models, clock, env, signal }
  const places = spec.from.map((one) => keyApart(one, spec.apikey))
  const opened = await openSources(places.map((place) => ({ ...common, ...place, known: memory.of(place.from) })))
  for (const [index, { found }] of opened.entries()) memory.found(places[index]?.from ?? '', found)
  const sources = [...opened.map(({ source }) => source), ...others]
  const missing = models ? new Missing(what.models, to, log) : undefined
  const pull = new Pull({
    ...manner,
    sources,
    to,
    select: async (view) => {
      const selection = await selectionOf(what, view)
      return missing?.watch(selection) ?? selection
    },
    name: JSON.stringify(models ? what.models : [what.prefixes, what.include?.map(({ text }) => text)]),
    layout: models ? 'models' : 'any',
    clock,
    random: Math.random,
    log,
  })
  const keeping = async (): Promise<void> => {
    if (manner.dryRun !== true) await memory.keep()
  }
  const looked = (summary: Summary): Summary => missing?.in(summary) ?? summary
  return {
    name: sources.map((source) => source.name).join(', '),
    round: async (op) =>
      memory.unlessWrong(async () => {
        const summary = looked(await pull.round(op))
        await keeping()
        return summary
      }),
    run: async (op, options) =>
      pull.run(op, {
        ...options,
        onRound: (summary) => {
          options.onRound(looked(summary))
          // It saves the next process a question, no more.
          keeping().catch((error: unknown) => log.warn('cannot remember what the sources are', { error }))
        },
      }),
    wake: () => pull.wake(),
    totals: () => pull.totals(),
    close: async () => {
      await pull.close()
      await Promise.all(sources.map(async (source) => source.close()))
    },
  }
}

async function selectionOf(what: Wanted, view: RoundView): Promise<Selection> {
  const { nowMs } = view
  if (!('models' in what)) {
    return select({ ...what, span: what.days === undefined ? undefined : pastDays(what.days, nowMs) })
  }
  const span: TimeSpan = what.years === undefined ? pastDays(what.days, nowMs) : years(...what.years)
  const chunks = new Map<string, ChunkTimes>()
  for (const domain of what.models.domains) {
    const times = chunkTimes((await view.read(metaKey(domain))) ?? '')
    if (times !== undefined) chunks.set(domain, times)
  }
  const pressureDay = view.remembered(PRESSURE_DAY)
  return selectModels({ ...what.models, span, chunks, day: Math.floor(nowMs / DAY_MS), pressureDay })
}

const FILE = 'sources.json'

/** Which tree of which node a URL turned out to mean: the next process need not ask. */
class FoundBefore {
  readonly #path: string
  readonly #models: boolean
  readonly #known: Map<string, FoundTree>
  #isKept: boolean

  private constructor(path: string, models: boolean, known: Map<string, FoundTree>) {
    this.#path = path
    this.#models = models
    this.#known = known
    this.#isKept = true
  }

  static async read(to: string, models: boolean): Promise<FoundBefore> {
    const path = join(to, STATE_FOLDER, FILE)
    try {
      return new FoundBefore(path, models, new Map(JSON.parse(await readFile(path, 'utf8')) as [string, FoundTree][]))
    } catch {
      return new FoundBefore(path, models, new Map())
    }
  }

  of(url: string): FoundTree | undefined {
    return this.#known.get(this.#name(url))
  }

  found(url: string, tree: FoundTree | undefined): void {
    if (tree === undefined || this.of(url) !== undefined) return
    this.#known.set(this.#name(url), tree)
    this.#isKept = false
  }

  async keep(): Promise<void> {
    if (this.#isKept) return
    this.#isKept = true
    await writeAtomic(this.#path, JSON.stringify([...this.#known]))
  }

  /** Something else may be at a URL by now: the next process asks what it is. Where nobody answers, nothing speaks for that. */
  async unlessWrong<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await use()
    } catch (error) {
      // What is wrong is told, and not that there was nothing to forget.
      if (!isError(error, 'LOST_RACE', 'DELETE_GUARD', 'UNREACHABLE'))
        await rm(this.#path, { force: true }).catch(() => {})
      throw error
    }
  }

  #name(url: string): string {
    return this.#models ? `models ${url}` : url
  }
}
