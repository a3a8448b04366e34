import { readdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { load } from './load.ts'
import type { FlagKind } from './stats.ts'
import { FLAG_KINDS, type World } from './world.ts'

const MINUTE_MS = 60_000

/** ERDDAP's RunLoadDatasets: a major load now and then, and in between a look at the flag folders every `pollMs`. */
export class LoadLoop {
  readonly #world: World
  readonly #signal: AbortSignal
  /** Loads that run; the real one knows of the newest only. */
  readonly #running = new Set<Promise<void>>()
  #newest: Promise<void> | undefined
  #majorWanted: (() => void)[] = []

  constructor(world: World, signal: AbortSignal) {
    this.#world = world
    this.#signal = signal
  }

  /** Runs until the signal is aborted, and until the loads it started have ended. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      this.#startMajor()
      do {
        await delay(this.#world.options.pollMs, undefined, { signal: this.#signal }).catch(() => undefined)
        if (!this.#signal.aborted && this.#newest === undefined && !this.#majorIsDue()) this.#poll()
      } while (!this.#signal.aborted && (this.#newest !== undefined || !this.#majorIsDue()))
    }
    await Promise.all(this.#running)
    for (const done of this.#majorWanted) done()
  }

  /** Asks for a major load at the next poll; resolves when it has ended. */
  major(): Promise<void> {
    return new Promise((resolve) => {
      this.#majorWanted.push(resolve)
    })
  }

  #majorIsDue(): boolean {
    const setting = Number.parseInt(this.#world.settings.get('loadDatasetsMinMinutes') ?? '', 10)
    const minutes = setting > 0 ? setting : this.#world.options.majorMinutes
    return this.#majorWanted.length > 0 || Date.now() - this.#world.report.startedAtMs > minutes * MINUTE_MS
  }

  #startMajor(): void {
    const { report } = this.#world
    const wanted = this.#majorWanted
    this.#majorWanted = []
    report.startedAtMs = Date.now()
    this.#world.log(`\n*** RunLoadDatasets is starting a new MAJOR LoadDatasets thread at ${new Date().toISOString()}`)
    const ended = async (): Promise<void> => {
      await load(this.#world, 'major', this.#signal)
      report.finishedAtMs = Date.now()
      for (const done of wanted) done()
    }
    void this.#start(ended())
  }

  #poll(): void {
    let kinds = 0
    for (const kind of FLAG_KINDS) {
      const ids = this.#take(kind)
      if (ids.length === 0) continue
      kinds += 1
      this.#world.log(
        `\n*** RunLoadDatasets is starting a new ${kind} LoadDatasets thread at ${new Date().toISOString()}`,
      )
      // Not waited for before the next folder is looked at: several kinds in one poll run at the same time.
      void this.#start(load(this.#world, kind, this.#signal, ids))
    }
    if (kinds > 1) this.#world.stats.pollsWithSeveralKinds += 1
  }

  async #start(started: Promise<void>): Promise<void> {
    this.#newest = started
    this.#running.add(started)
    await started
    this.#running.delete(started)
    if (this.#newest !== started) return
    this.#newest = undefined
    this.#world.log(
      `\n*** RunLoadDatasets notes that LoadDatasets has finished running as of ${new Date().toISOString()}`,
    )
  }

  /** Empties a flag folder, before any load; answers the ids that may be datasets. */
  #take(kind: FlagKind): string[] {
    const world = this.#world
    const folder = world.flagFolder(kind)
    const ids: string[] = []
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) continue
      unlinkSync(join(folder, entry.name))
      if (!/^[A-Za-z0-9_.-]+$/.test(entry.name)) {
        world.log(
          `RunloadDatasets is deleting ${entry.name} from ${kind} directory because it isn't a valid datasetID.`,
        )
        continue
      }
      world.stats.flags.push({ kind, id: entry.name, atMs: Date.now(), by: 'poll' })
      ids.push(entry.name)
      if (world.misbehave !== 'stale') this.#noticed(kind, entry.name)
    }
    return ids
  }

  #noticed(kind: FlagKind, id: string): void {
    const served = this.#world.served.get(id)
    if (kind === 'hardFlag') this.#world.forget(id, kind)
    else if (kind === 'badFilesFlag') this.#world.unload(id, kind)
    else if (served !== undefined) served.createdAtMs = 0
  }
}
