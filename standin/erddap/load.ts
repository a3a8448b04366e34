import { copyFileSync, readFileSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { construct } from './construct.ts'
import { DatasetError, type Definition, readDataset, skipTo } from './definition.ts'
import { Reader, ReaderError } from './reader.ts'
import type { LoadKind, LoadRecord } from './stats.ts'
import { failedText, reasonsText, wrap } from './status-page.ts'
import { isTopTag } from './tags.ts'
import { atLeast, SINCE } from './version.ts'
import { FLAG_KINDS, type World } from './world.ts'

const STARS = '*'.repeat(80)
const DEFAULT_RELOAD_MINUTES = 10_080
const MINUTE_MS = 60_000

/** What one run gathers while it reads, and hands over at its end. */
interface Run {
  readonly world: World
  readonly record: LoadRecord
  /** Absent in a major load, which looks at every dataset. */
  readonly flagged: ReadonlySet<string> | undefined
  readonly signal: AbortSignal
  /** Served when a major load began and not yet seen in the file. */
  readonly orphans: Set<string>
  readonly seen: Set<string>
  readonly duplicates: string[]
  readonly users: string[]
}

/**
 * One run of ERDDAP's LoadDatasets: copies datasets.xml, reads the whole copy, and loads what is due: in a major load
 * everything that is not young enough, in a minor one the flagged ids. Datasets are put into service one by one.
 */
export async function load(
  world: World,
  kind: LoadKind,
  signal: AbortSignal,
  flagged?: readonly string[],
): Promise<void> {
  const record = begin(world, kind, flagged)
  const run: Run = {
    world,
    record,
    flagged: flagged && new Set(flagged),
    signal,
    orphans: new Set(kind === 'major' ? world.served.keys() : []),
    seen: new Set(),
    duplicates: [],
    users: [],
  }
  try {
    if (world.misbehave !== 'stale') await readAndLoad(run)
  } catch (error) {
    if (!signal.aborted) world.log(String(error))
  } finally {
    record.finishedAtMs = Date.now()
  }
}

function begin(world: World, kind: LoadKind, flagged: readonly string[] | undefined): LoadRecord {
  const record: LoadRecord = { kind, startedAtMs: Date.now(), tried: [], failed: [], ...(flagged && { flagged }) }
  if (world.stats.loads.some(({ finishedAtMs }) => finishedAtMs === undefined)) world.stats.overlappingLoads += 1
  world.stats.loads.push(record)
  world.log(
    `\n${STARS}\nLoadDatasets.run EDStatic.config.developmentMode=false ${new Date().toISOString()}\n` +
      `  datasetsRegex=${flagged === undefined ? '.*' : `(${flagged.join('|')})`} inputStream=null ` +
      `majorLoad=${kind === 'major'}`,
  )
  return record
}

async function readAndLoad(run: Run): Promise<void> {
  copy(run.world)
  try {
    await read(run)
  } catch (error) {
    run.signal.throwIfAborted()
    reportBadRead(run, error)
    if (!atLeast(run.world.options.version, SINCE.splitParser)) return
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
  const { world, flagged } = run
  const { kind } = run.record
  if (flagged !== undefined && !flagged.has(id)) return false
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
  const { world, record } = run
  const { kind } = record
  record.tried.push(id)
  const sinceMs = Date.now()
  world.loading = { kind, number: record.tried.length, id, sinceMs }
  try {
    const definition = readDataset(reader, world.options.version)
    world.announced.set(id, definition)
    await takeTime(world.options.loadMs, run.signal)
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

/** Also lets the server answer between two datasets. */
async function takeTime(ms: number, signal: AbortSignal): Promise<void> {
  await (ms > 0 ? delay(ms, undefined, { signal }) : nextTurn(undefined, { signal }))
}

function reportBadRead({ world, record }: Run, error: unknown): void {
  const line = error instanceof ReaderError ? error.line : 0
  const subject = `ERROR while processing ${line === 0 ? '' : `line #${line} `}datasets.xml`
  world.report.errors = `${subject}: see log.txt for details.\n`
  world.log(`${subject}: ${text(error)}`)
  world.stats.badReads.push({ atMs: Date.now(), kind: record.kind, line, message: text(error) })
}

function finish(run: Run): void {
  const { world, record } = run
  const { kind } = record
  const duplicates =
    run.duplicates.length === 0
      ? ''
      : `ERROR: Duplicate datasetIDs in datasets.xml:\n    ${wrap(run.duplicates.join(', '))}\n`
  const orphans = removeOrphans(run)
  const { grids, tables } = world.counts()
  world.log(
    `\n${STARS}\nLoadDatasets.run finished at ${new Date().toISOString()}  ` +
      `TOTAL TIME=${Date.now() - record.startedAtMs}ms\n` +
      `  nGridDatasets active=${grids}\n  nTableDatasets active=${tables}\n` +
      `  nDatasets in datasets.xml=${run.seen.size + run.duplicates.length} (nTry=${record.tried.length})\n` +
      `  nUsers=${run.users.length}`,
  )
  const failed = failedText(kind, record.failed)
  if (kind !== 'major') return world.log(failed)
  world.initial = false
  Object.assign(world.report, { failed, reasons: reasonsText(record.failed), errors: duplicates + orphans })
}

function removeOrphans({ world, record, orphans }: Run): string {
  if (orphans.size === 0) return ''
  const removes = atLeast(world.options.version, SINCE.removesOrphans)
  if (removes) for (const id of orphans) world.unload(id, record.kind)
  const message =
    `ERROR: n Orphan Datasets ${removes ? 'removed ' : ''}(datasets in ERDDAP but not in datasets.xml) = ${orphans.size}\n` +
    `    ${wrap([...orphans].join(', '))}(end)\n`
  if (removes) world.log(message)
  return message
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
