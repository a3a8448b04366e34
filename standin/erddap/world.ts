import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { attribute, type Definition, isGrid } from './definition.ts'
import type { ErddapOptions, Misbehaviour } from './options.ts'
import { type FlagKind, type LoadKind, newStats, type Stats } from './stats.ts'

export interface Served {
  readonly definition: Definition
  /** When it was loaded; 0 after a flag, so that the next load that comes past it loads it whatever its age. */
  createdAtMs: number
}

/** What status.html says about the last major load, and about a file that could not be read to its end. */
export interface MajorReport {
  startedAtMs: number
  finishedAtMs: number
  failed: string
  reasons: string
  errors: string
}

/** Looked at in this order. */
export const FLAG_KINDS = ['hardFlag', 'flag', 'badFilesFlag'] as const satisfies readonly FlagKind[]

/** The state of one stand-in: what it serves, its folders, its log. */
export class World {
  readonly options: ErddapOptions
  readonly served = new Map<string, Served>()
  readonly stats: Stats = newStats()
  readonly startedAt = new Date()
  readonly report: MajorReport = { startedAtMs: 0, finishedAtMs: 0, failed: '', reasons: '', errors: '' }
  /** Top-level settings, as the last load that came past them found them. */
  readonly settings = new Map<string, string>()
  /** True until a major load has come to its end: datasets without an index are put off so long. */
  initial = true
  misbehave: Misbehaviour
  /** Every definition it ever began to load: what a stand-in that lies says it serves. */
  readonly announced = new Map<string, Definition>()
  /** What the running load is at. */
  loading:
    | { readonly kind: LoadKind; readonly number: number; readonly id: string; readonly sinceMs: number }
    | undefined

  constructor(options: ErddapOptions) {
    this.options = options
    this.misbehave = options.misbehave
    for (const folder of [...FLAG_KINDS, 'logs', 'dataset']) {
      mkdirSync(join(options.bigParentDir, folder), { recursive: true })
    }
  }

  get datasetsXml(): string {
    return join(this.options.contentDir, 'datasets.xml')
  }

  get currentDatasetsXml(): string {
    return join(this.options.bigParentDir, 'currentDatasets.xml')
  }

  get logFile(): string {
    return join(this.options.bigParentDir, 'logs', 'log.txt')
  }

  flagFolder(kind: FlagKind): string {
    return join(this.options.bigParentDir, kind)
  }

  /** `nTableDatasets` counts allDatasets, too. */
  counts(): { readonly grids: number; readonly tables: number } {
    const grids = [...this.served.values()].filter(({ definition }) => isGrid(definition)).length
    return { grids, tables: this.served.size - grids + 1 }
  }

  log(text: string): void {
    appendFileSync(this.logFile, `${text}\n`)
  }

  /** Folder of the dataset's stored index. */
  indexFolder(id: string): string {
    return join(this.options.bigParentDir, 'dataset', id.slice(-2), id)
  }

  /** What a hard flag does, whether the dataset is in datasets.xml or not: unload, and delete the stored index. */
  forget(id: string, by: LoadKind): void {
    const served = this.served.get(id)
    this.unload(id, by)
    for (const each of [id, ...(served === undefined ? [] : descendants(served.definition))]) this.#deleteIndex(each)
  }

  /** The files, not the sub-folders, like EDD.deleteCachedDatasetInfo. */
  #deleteIndex(id: string): void {
    const folder = this.indexFolder(id)
    if (!existsSync(folder)) return
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isFile()) rmSync(join(folder, entry.name), { force: true })
    }
  }

  put(definition: Definition, by: LoadKind): void {
    const { id, digest } = definition
    this.served.set(id, { definition, createdAtMs: Date.now() })
    const title = attribute(definition, 'title')
    this.stats.events.push({ id, event: 'loaded', by, atMs: Date.now(), title, digest })
  }

  /** Takes the dataset out of service; false when it was not served. */
  unload(id: string, by: LoadKind, event: 'unloaded' | 'failed' = 'unloaded'): boolean {
    if (!this.served.delete(id)) return false
    if (event === 'unloaded') this.log(`*** unloading datasetID=${id}`)
    this.stats.events.push({ id, event, by, atMs: Date.now() })
    return true
  }

  /** Whether a flag file was there; it is deleted. */
  takeFlag(kind: FlagKind, id: string): boolean {
    const path = join(this.flagFolder(kind), id)
    if (!existsSync(path)) return false
    try {
      unlinkSync(path)
    } catch {
      return false
    }
    this.stats.flags.push({ kind, id, atMs: Date.now(), by: 'load' })
    return true
  }
}

function descendants(definition: Definition): string[] {
  return definition.children.flatMap((child) => [child.id, ...descendants(child)])
}
