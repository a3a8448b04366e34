import { copyFileSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { construct } from './construct.ts'
import { DatasetError, type Definition, isGrid, readDataset, skipTo } from './definition.ts'
import { Reader, ReaderError } from './reader.ts'
import type { Failure, LoadKind, LoadRecord } from './stats.ts'
import { isTopTag } from './tags.ts'
import { atLeast, SINCE } from './version.ts'
import { failedText, FLAG_KINDS, wrap, type World } from './world.ts'

const STARS = '*'.repeat(80)
const DEFAULT_RELOAD_MINUTES = 10_080
const MINUTE_MS = 60_000

/** What one run gathers while it reads, and hands over at its end. */
interface Run {
  readonly world: World
  readonly kind: LoadKind
  readonly flagged: ReadonlySet<string> | undefined
  readonly record: LoadRecord
  /** Served when a major load began and not yet seen in the file. */
  readonly orphans: Set<string>
  readonly seen: Set<string>
  readonly duplicates: string[]
  readonly users: string[]
  readonly signal: AbortSignal
}

/**
 * One run of ERDDAP's LoadDatasets: copies datasets.xml, reads the whole copy, and loads what is due: everything young
 * enough aside in a major load, only the flagged ids in a minor one. Datasets are put into service one by one.
 */
export async function load(
  world: World,
  kind: LoadKind,
  signal: AbortSignal,
  flagged?: readonly string[],
): Promise<void> {
  const record: LoadRecord = {
    kind,
    startedAtMs: Date.now(),
    tried: [],
    failed: [],
    ...(flagged === undefined ? {} : { flagged }),
  }
  if (world.stats.loads.some((other) => other.finishedAtMs === undefined)) world.stats.overlappingLoads += 1
  world.stats.loads.push(record)
  world.log(
    `\n${STARS}\nLoadDatasets.run EDStatic.config.developmentMode=false ${new Date().toISOString()}\n` +
      `  datasetsRegex=${flagged === undefined ? '.*' : `(${flagged.join('|')})`} inputStream=null majorLoad=${kind === 'major'}`,
  )
  try {
    if (world.misbehave !== 'stale') await run(world, record, signal, flagged)
  } catch (error) {
    // Datasets.xml could not be copied, or (up to 2.24) not be read to its end: nothing more is applied.
    if (!signal.aborted) world.log(String(error))
  } finally {
    world.loading = undefined
    record.finishedAtMs = Date.now()
  }
}

async function run(
  world: World,
  record: LoadRecord,
  signal: AbortSignal,
  flagged: readonly string[] | undefined,
): Promise<void> {
  const major = record.kind === 'major'
  const run: Run = {
    world,
    kind: record.kind,
    flagged: flagged === undefined ? undefined : new Set(flagged),
    record,
    orphans: new Set(major ? world.served.keys() : []),
    seen: new Set(),
    duplicates: [],
    users: [],
    signal,
  }
  copy(world)
  try {
    await read(run)
  } catch (error) {
    signal.throwIfAborted()
    reportBadRead(run, error)
    if (!atLeast(world.options.version, SINCE.splitParser)) return
  }
  finish(run)
}

function copy(world: World): void {
  try {
    copyFileSync(world.datasetsXml, world.currentDatasetsXml)
  } catch {
    throw new Error(`java.lang.RuntimeException: Unable to copy ${world.datasetsXml} to ${world.currentDatasetsXml}`)
  }
}

async function read(run: Run): Promise<void> {
  const { world } = run
  const { version } = world.options
  const envParsing = atLeast(version, SINCE.envParsing)
  const reader = new Reader(readFileSync(world.currentDatasetsXml), { envParsing, root: 'erddapDatasets' })
  for (;;) {
    run.signal.throwIfAborted()
    const tag = reader.next()
    if (reader.path === '</erddapDatasets>') return
    const name = tag.replace('/', '')
    if (reader.depth !== 2 || !isTopTag(name, version)) reader.unexpectedTag()
    if (tag === 'dataset') await takeDataset(run, reader)
    else if (tag === 'user') run.users.push(reader.attribute('username') ?? '')
    else if (tag !== name && name !== 'user') world.settings.set(name, reader.content)
  }
}

async function takeDataset(run: Run, reader: Reader): Promise<void> {
  const id = reader.attribute('datasetID') ?? ''
  if (id === '') {
    throw new ReaderError(
      reader.line,
      `datasets.xml error on line #${reader.line}: This <dataset> doesn't have a datasetID!`,
    )
  }
  run.orphans.delete(id)
  if (run.seen.has(id)) run.duplicates.push(id)
  const first = !run.seen.has(id)
  run.seen.add(id)
  if (first && isDue(run, reader, id)) await tryToLoad(run, reader, id)
  else skipTo(reader, 2)
}

/** Also takes flags that came since the last poll, and unloads what is no longer active. */
function isDue(run: Run, reader: Reader, id: string): boolean {
  const { world, kind } = run
  if (run.flagged !== undefined && !run.flagged.has(id)) return false
  const taken = FLAG_KINDS.filter((flag) => world.takeFlag(flag, id))
  const [flag] = taken
  if (flag !== undefined) world.log(`*** reloading datasetID=${id} because it was in the ${flag} directory.`)
  if (taken.includes('hardFlag')) world.forget(id, kind)
  if (reader.attribute('active') === 'false') {
    if (world.unload(id, kind)) world.log(`*** unloaded datasetID=${id} because active="false".`)
    return false
  }
  const served = world.served.get(id)
  return flag !== undefined || served === undefined || !isYoung(served.createdAtMs, served.definition)
}

function isYoung(createdAtMs: number, definition: Definition): boolean {
  const minutes = Number.parseInt(definition.values.get('reloadEveryNMinutes') ?? '', 10)
  const limit = minutes > 0 ? minutes : DEFAULT_RELOAD_MINUTES
  return createdAtMs > 0 && Math.floor((Date.now() - createdAtMs) / MINUTE_MS) < limit
}

/** The old definition is served until the new one is ready; when the new one is not to be had, neither is. */
async function tryToLoad(run: Run, reader: Reader, id: string): Promise<void> {
  const { world, kind, record } = run
  record.tried.push(id)
  const sinceMs = Date.now()
  world.loading = { kind, number: record.tried.length, id, sinceMs }
  try {
    const definition = readDataset(reader, world.options.version)
    world.announced.set(id, definition)
    await delay(world.options.loadMs, undefined, { signal: run.signal })
    construct(world, definition)
    world.put(definition, kind)
  } catch (error) {
    run.signal.throwIfAborted()
    world.unload(id, kind, 'failed')
    const message =
      `datasets.xml error on line #${reader.line}\n` +
      `While trying to load datasetID=${id} (after ${Date.now() - sinceMs} ms)\n${stackTrace(reader, error)}`
    world.log(message)
    record.failed.push({ id, line: reader.line, message })
    if (!reader.isOpen) throw error
    skipTo(reader, 2)
  } finally {
    world.loading = undefined
  }
}

function reportBadRead({ world, kind }: Run, error: unknown): void {
  const line = error instanceof ReaderError ? error.line : 0
  const subject = `ERROR while processing ${line === 0 ? '' : `line #${line} `}datasets.xml`
  world.report.errors = `${subject}: see log.txt for details.\n`
  world.log(`${subject}: ${text(error)}`)
  world.stats.badReads.push({ atMs: Date.now(), kind, line, message: text(error) })
}

function finish(run: Run): void {
  const { world, kind, record } = run
  world.users = run.users
  const duplicates =
    run.duplicates.length === 0
      ? ''
      : `ERROR: Duplicate datasetIDs in datasets.xml:\n    ${wrap(run.duplicates.join(', '))}\n`
  const orphans = removeOrphans(run)
  world.log(
    `\n${STARS}\nLoadDatasets.run finished at ${new Date().toISOString()}  ` +
      `TOTAL TIME=${Date.now() - record.startedAtMs}ms\n` +
      `  nGridDatasets active=${countGrids(world)}\n  nTableDatasets active=${world.served.size - countGrids(world) + 1}\n` +
      `  nDatasets in datasets.xml=${run.seen.size + run.duplicates.length} (nTry=${record.tried.length})\n` +
      `  nUsers=${run.users.length}`,
  )
  const failed = failedText(kind, record.failed)
  if (kind !== 'major') return world.log(failed)
  world.initial = false
  Object.assign(world.report, { failed, reasons: reasonsText(record.failed), errors: duplicates + orphans })
}

function removeOrphans({ world, kind, orphans }: Run): string {
  if (orphans.size === 0) return ''
  const removes = atLeast(world.options.version, SINCE.removesOrphans)
  if (removes) for (const id of orphans) world.unload(id, kind)
  const message =
    `ERROR: n Orphan Datasets ${removes ? 'removed ' : ''}(datasets in ERDDAP but not in datasets.xml) = ${orphans.size}\n` +
    `    ${wrap([...orphans].join(', '))}(end)\n`
  if (removes) world.log(message)
  return message
}

export function countGrids(world: World): number {
  return [...world.served.values()].filter(({ definition }) => isGrid(definition)).length
}

function reasonsText(failed: readonly Failure[]): string {
  return `Reasons for failing to load datasets: \n${failed.map(({ id, message }) => `${id}: ${message}\n`).join('')}`
}

/** What ERDDAP makes of an exception of EDD.fromXml: the line before the message, a trace behind it. */
function stackTrace(reader: Reader, error: unknown): string {
  const message = text(error)
  const place = message.startsWith('datasets.xml error on')
    ? ''
    : `datasets.xml error on or before line #${reader.line}: `
  return `java.lang.RuntimeException: ${place}${message}\n at gov.noaa.pfel.erddap.dataset.EDD.fromXml(EDD.java)`
}

function text(error: unknown): string {
  return error instanceof DatasetError || error instanceof ReaderError ? error.message : String(error)
}
