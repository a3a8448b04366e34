import { readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import type { Op } from '../../../core/op.ts'
import type { Application, ApplicationClient, Served } from './application.ts'
import type { Comparison } from './comparison.ts'
import { type Fingerprint, type Fingerprints, withFile } from './fingerprints.ts'
import { readFlags, refused } from './flag-folders.ts'
import { mustBeFolder } from './folders.ts'
import type { Shown } from './info-page.ts'
import { type LoadLog, NO_LOG, parseLoadLog } from './load-log.ts'
import type { Actual, Effect, FlagFolders, Prepared } from './model.ts'
import type { NodeState } from './node-state.ts'
import type { SideFiles } from './side-files.ts'

export interface ObserveParts {
  readonly datasetsXml: string
  readonly bigParentDirectory: string
  /** Undefined where no address of an ERDDAP is configured. */
  readonly client: ApplicationClient | undefined
  readonly clock: Clock
  readonly fingerprints: Fingerprints
  readonly comparison: Comparison
  readonly sideFiles: SideFiles
}

/** How many pages are asked for in one look; what is left comes with the next. */
const PAGES_MAX = 200
const LOG_BYTES = 512 * 1024

/**
 * Looks at the files, then at the application. In this order, because ERDDAP deletes a flag before it unloads or loads the
 * dataset: what the application says is then never older than what the flags say.
 */
export async function observe(prepared: Prepared, state: NodeState, parts: ObserveParts, op: Op): Promise<Actual> {
  const { datasetsXml, bigParentDirectory, clock, client, fingerprints, comparison } = parts
  const nowMs = clock.nowMs()
  // Before anything is planned, so that nothing is written anywhere while the volume is not mounted.
  await orRefused(dirname(datasetsXml), (folder) => mustBeFolder(folder, 'contentDirectory'))
  const flags = await orRefused(bigParentDirectory, readFlags)
  const read = async (path: string) => await fingerprints.of(path, nowMs)
  const reading = await orRefused(join(bigParentDirectory, 'currentDatasets.xml'), read)
  const onDisk = await orRefused(datasetsXml, read)
  const sideFiles = await sideFilesOnDisk(prepared, state, parts, nowMs)
  const application: Application = client === undefined ? { is: 'unknown' } : await client.look(op)
  const log = application.is === 'down' ? NO_LOG : await readLog(bigParentDirectory)
  const effects = await comparison.effects(prepared, state, op)
  const startedAtMs = application.is === 'up' ? application.status?.startedAtMs : undefined
  const restarted = startedAtMs !== undefined && onDisk !== undefined && startedAtMs >= onDisk.mtimeMs
  const ids = pagesToAsk({ prepared, state, application, flags, effects, restarted })
  const pages = client === undefined ? new Map<string, Served>() : await client.serve(ids.slice(0, PAGES_MAX), op)
  const shown = new Map<string, Shown | 'absent' | 'private' | 'unreachable'>()
  for (const [id, page] of pages) {
    const dataset = prepared.datasets.get(id)
    const is = dataset === undefined ? whether(page) : await comparison.shown(dataset, state, page)
    shown.set(id, is)
  }
  return { nowMs, state, datasetsXml: onDisk, reading, flags, sideFiles, application, log, effects, shown }
}

async function orRefused<T>(path: string, use: (path: string) => T | Promise<T>): Promise<T> {
  try {
    return await use(path)
  } catch (error) {
    throw refused(error, path)
  }
}

function whether(page: Served): Shown | 'absent' | 'private' | 'unreachable' {
  return typeof page === 'string' ? page : 'same'
}

async function sideFilesOnDisk(
  prepared: Prepared,
  state: NodeState,
  { sideFiles, fingerprints }: ObserveParts,
  nowMs: number,
): Promise<ReadonlyMap<string, Fingerprint>> {
  const found = new Map<string, Fingerprint>()
  for (const path of new Set([...prepared.sideFiles.keys(), ...state.sideFiles.keys()])) {
    const print = await fingerprints.of(sideFiles.pathOf(path), nowMs)
    if (print !== undefined) found.set(path, print)
  }
  return found
}

/** The end of log.txt; a log that is not there, may not be read or is no file tells nothing. */
export async function readLog(bigParentDirectory: string): Promise<LoadLog> {
  const text = await withFile(join(bigParentDirectory, 'logs', 'log.txt'), (file, { size }) => {
    const buffer = Buffer.alloc(Math.min(size, LOG_BYTES))
    const bytesRead = readSync(file, buffer, 0, buffer.byteLength, size - buffer.byteLength)
    return buffer.toString('utf8', 0, bytesRead).replaceAll('\r\n', '\n')
  }).catch(() => undefined)
  return text === undefined ? NO_LOG : parseLoadLog(text)
}

interface Question {
  readonly prepared: Prepared
  readonly state: NodeState
  readonly application: Application
  readonly flags: FlagFolders | undefined
  readonly effects: ReadonlyMap<string, Effect>
  /** ERDDAP started after datasets.xml was written: what it serves may need no flag. */
  readonly restarted: boolean
}

/** Datasets that wait for a proof which the list does not give; those that failed already come last. */
function pagesToAsk({ prepared, state, application, flags, effects, restarted }: Question): readonly string[] {
  if (application.is !== 'up' || application.listing === undefined) return []
  const { listing } = application
  const taken = (id: string): boolean =>
    state.flagged.has(id) && !Object.values(flags?.set ?? {}).some((ids) => ids.has(id))
  const ids = [...prepared.datasets.values()]
    .filter(({ id, restricted, active }) => {
      if (restricted && !listing.has(id)) return true
      if (taken(id)) return listing.has(id)
      return active && listing.has(id) && (effects.has(id) ? restarted : !state.loaded.has(id))
    })
    .map(({ id }) => id)
  const others = [...listing.keys()].filter((id) => !prepared.datasets.has(id) && taken(id))
  const failed = (id: string): number => (state.flagged.get(id)?.failure === undefined ? 0 : 1)
  return [...ids, ...others].toSorted((a, b) => failed(a) - failed(b))
}
