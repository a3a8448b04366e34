import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { TokenWish } from '../core/templates/functions.ts'
import {
  type FailedRendering,
  FAILED_RENDERINGS_MAX,
  type NodeRendered,
  RENDERED_PATHS_MAX,
} from '../core/templates/report.ts'
import { Backoff } from '../lib/backoff.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Wake } from '../lib/wake.ts'
import type { Facts, RenderedFile } from './rendered-file.ts'

/** One entry of the configuration: a template, or a folder of them. */
export interface RenderedSet {
  readonly name: string
  /** The files of it now; the same objects for the same files. Throws where the folder cannot be read. */
  files(): readonly RenderedFile[]
  /** What is true now for this entry; undefined while nothing is known of its profiles. Throws where it may not be known. */
  facts(): Facts | undefined
}

export interface TemplateKeeperOptions {
  readonly sets: readonly RenderedSet[]
  /** When the first of these tokens has to be made anew; infinite for none. */
  readonly dueInMs: (wishes: readonly TokenWish[]) => number
  /** Says to the cluster how the files fare. */
  readonly tell: (rendered: NodeRendered) => void
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** How often everything is looked at although nothing was heard. */
  readonly intervalMs: number
}

/** Of several changes that come together each file is rendered once. */
const SETTLE_MS = 100
const FAILED = { firstMs: 1000, maxMs: 30_000 }

/**
 * Keeps the files that templates make in step with profiles, facts and the templates themselves. What is there is compared with what
 * should be each time, so that it does not matter who changed what. A file that cannot be made stays as it was, and is told of.
 */
export class TemplateKeeper implements Service {
  readonly name = 'templates'
  readonly #options: TemplateKeeperOptions
  readonly #wake: Wake<'news' | 'manual'>
  readonly #failures: Backoff
  readonly #logged = new Map<string, string>()

  constructor(options: TemplateKeeperOptions) {
    this.#options = options
    this.#wake = new Wake(options.clock)
    this.#failures = new Backoff({ ...FAILED, random: options.random })
  }

  /** Something that the files are made of may have changed. */
  changed(): void {
    this.#wake.poke('news')
  }

  /** Looks at everything now, and tries again what was refused: for a person who asks. */
  look(): void {
    this.#wake.poke('manual')
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let forgives = false
    while (!signal.aborted) {
      const pauseMs = await this.round(signal, forgives)
      if (signal.aborted) return
      const reasons = await this.#wake.wait({ ms: pauseMs, signal })
      // After a while also what a check looks at besides may be another.
      forgives = reasons.has('manual') || !reasons.has('news')
      if (reasons.has('news')) await sleepQuietly(clock, SETTLE_MS, signal)
    }
  }

  /**
   * Brings every file in step, and tells how that went; `forgives`: tries again what was refused. Answers when to look again.
   * Rejects only when the signal aborts.
   */
  async round(signal: AbortSignal, forgives = false): Promise<number> {
    const { sets, dueInMs, intervalMs } = this.#options
    const told: Told = { paths: [], failed: [], isKnown: true }
    const wishes: TokenWish[] = []
    for (const set of sets) {
      const { files, facts } = this.#look(set, told)
      for (const file of files) {
        if (forgives) file.forgive()
        if (facts !== undefined) await this.#keep(file, facts, told, signal)
        wishes.push(...file.wishes)
      }
    }
    if (told.isKnown) this.#say(told)
    const dueMs = Math.max(1000, dueInMs(wishes))
    if (told.failed.length > 0) return Math.min(intervalMs, dueMs, this.#failures.nextMs())
    this.#failures.reset()
    return Math.min(intervalMs, dueMs)
  }

  #look(set: RenderedSet, told: Told): { readonly files: readonly RenderedFile[]; readonly facts: Facts | undefined } {
    try {
      const facts = set.facts()
      const files = set.files()
      told.paths.push(...files.map(({ to }) => to))
      if (facts === undefined) told.isKnown = false
      return { files, facts }
    } catch (error) {
      this.#failed(set.name, error, told)
      return { files: [], facts: undefined }
    }
  }

  async #keep(file: RenderedFile, facts: Facts, told: Told, signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    try {
      const how = await file.keep(facts, { signal })
      if (how === 'changed') log.info('rendered', { file: file.to, template: file.template })
      if (this.#logged.delete(file.to)) log.info('rendered again after a failure', { file: file.to })
    } catch (error) {
      signal.throwIfAborted()
      this.#failed(file.to, error, told)
    }
  }

  #failed(to: string, error: unknown, told: Told): void {
    const failure = failureOf(to, error)
    told.failed.push(failure)
    const words = JSON.stringify(failure)
    if (this.#logged.get(to) === words) return
    this.#logged.set(to, words)
    const { template, line, message } = failure
    this.#options.log.warn('a file could not be rendered; the last good one stays', {
      file: to,
      ...(template !== undefined && { template }),
      ...(line !== undefined && { line }),
      error: message,
      ...(!(error instanceof FlotillaError) && error instanceof Error && { stack: error.stack }),
    })
  }

  #say({ paths, failed }: Told): void {
    const bad = new Set(failed.map(({ to }) => to))
    this.#options.tell({
      state: failed.length === 0 ? 'in-step' : 'failed',
      files: paths.length,
      inStep: paths.filter((path) => !bad.has(path)).length,
      paths: paths.slice(0, RENDERED_PATHS_MAX),
      failed: failed.slice(0, FAILED_RENDERINGS_MAX),
      atMs: this.#options.clock.nowMs(),
    })
  }
}

interface Told {
  readonly paths: string[]
  readonly failed: FailedRendering[]
  /** False while nothing is known of the profiles: what is not known is no failure, and proves nothing. */
  isKnown: boolean
}

const WORDS_MAX = 1000

/** Places only where the error has any; never more of it than a report may say. */
function failureOf(to: string, error: unknown): FailedRendering {
  const base = { to, message: messageOf(error).slice(0, WORDS_MAX) }
  if (!isError(error)) return { ...base, code: 'INTERNAL' }
  const { file, line, column, hint } = error.details
  return {
    ...base,
    code: error.code,
    ...(file !== undefined && { template: file }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    ...(hint !== undefined && { hint }),
  }
}
