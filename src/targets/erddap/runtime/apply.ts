import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import type { Logger } from '../../../core/log.ts'
import type { Op } from '../../../core/op.ts'
import { TEMPORARY_PREFIX, writeAtomic } from '../../../lib/atomic-file.ts'
import { sha256 } from '../../../lib/hash.ts'
import { digestOf } from './fingerprints.ts'
import { clearDecompressed, refused, setFlags } from './flag-folders.ts'
import type { Done, Flag, Outcome, Prepared, Step } from './model.ts'
import type { Flagged, FlagKind, Loaded, NodeState } from './node-state.ts'
import type { SideFiles } from './side-files.ts'
import { splitQuietly, type Versions } from './versions.ts'

export interface ApplyParts {
  readonly datasetsXml: string
  readonly bigParentDirectory: string
  readonly clock: Clock
  readonly log: Logger
  readonly versions: Versions
  readonly sideFiles: SideFiles
  /** The state as it is on disk. */
  readonly state: () => NodeState
  /** Durable when it resolves. */
  readonly save: (state: NodeState) => Promise<void>
}

/** Carries out one step. Every step may be cut short anywhere, and is then planned and carried out again. */
export async function apply(step: Step, parts: ApplyParts, op: Op): Promise<void> {
  switch (step.step) {
    case 'learn':
      return await learn(step.read, parts)
    case 'side-files':
      return await placeSideFiles(step.prepared, step.paths, parts, op)
    case 'write':
      return await write(step.prepared, parts, op)
    case 'record':
      return await record(step.prepared, step.outcome, parts)
    case 'flag':
      return await flag(step.kind, step.flags, step.done, parts)
    case 'clear-cache':
      await clearDecompressed(parts.bigParentDirectory, step.ids)
      return await parts.save({ ...parts.state(), requests: withDone(parts.state(), step.done) })
    case 'tidy':
      return await tidy(step.paths, parts)
  }
}

/** Takes over what ERDDAP read last as what it may have loaded. Done for the file that was looked at, or not at all. */
async function learn(read: string, parts: ApplyParts): Promise<void> {
  const bytes = await readFile(join(parts.bigParentDirectory, 'currentDatasets.xml'))
  if (sha256(bytes) !== read) return
  const state = parts.state()
  await parts.versions.save(read, bytes)
  const { datasets, topDigest } = splitQuietly(bytes)
  const loaded = new Map(state.loaded)
  for (const { id, digest, active } of datasets) {
    // What is off was not loaded; the definition that was loaded before it went off still has its index.
    if (active && loaded.get(id)?.digest !== digest) loaded.set(id, { digest, version: read, proved: false })
  }
  parts.log.info('took over what ERDDAP read last', { datasets: datasets.length })
  await parts.save({ ...state, loaded, read, topDigest })
}

async function placeSideFiles(
  { sideFiles, tree }: Prepared,
  paths: readonly string[],
  parts: ApplyParts,
  op: Op,
): Promise<void> {
  const before = parts.state()
  const noted = paths.map((path): [string, string] => [path, sideFiles.get(path) ?? ''])
  await parts.save({ ...before, sideFiles: new Map([...before.sideFiles, ...noted]) })
  for (const path of paths) await parts.sideFiles.place(tree, path, before.sideFiles.get(path), op)
}

async function write({ compiled, number }: Prepared, parts: ApplyParts, op: Op): Promise<void> {
  const { datasetsXml, versions, log } = parts
  const state = parts.state()
  const { sha256: digest } = compiled
  try {
    const current = await digestOf(datasetsXml)
    if (current !== undefined && current !== state.written) {
      const copy = await versions.keep(datasetsXml)
      log.warn('datasets.xml was not written by this node; it is put back, and a copy is kept', { copy })
    }
    await versions.save(digest, compiled.chunks)
    await removeLeftovers(datasetsXml)
    await writeAtomic(datasetsXml, compiled.chunks, { ...op, ...(await modeOf(datasetsXml)) })
    await parts.save({ ...state, written: digest, applied: number })
  } catch (error) {
    throw refused(error, datasetsXml)
  }
  log.info('wrote datasets.xml', { release: number, datasets: compiled.datasets.length, bytes: compiled.size })
}

/** Temporary files of a write that was cut short. Only this node's agent writes here. */
async function removeLeftovers(path: string): Promise<void> {
  const names = await readdir(dirname(path))
  const left = names.filter((name) => name.startsWith(`${TEMPORARY_PREFIX}${basename(path)}-`))
  for (const name of left) await rm(join(dirname(path), name), { force: true })
}

/** A file that others may not read stays so, if its owner is the one who writes it anew. */
async function modeOf(path: string): Promise<{ readonly mode?: number }> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && found.uid === process.geteuid?.() ? { mode: found.mode & 0o777 } : {}
}

async function flag(kind: FlagKind, flags: readonly Flag[], done: readonly Done[], parts: ApplyParts): Promise<void> {
  const atMs = parts.clock.nowMs()
  await setFlags(
    parts.bigParentDirectory,
    kind,
    flags.map(({ id }) => id),
  )
  // After the files: a crash in between means flagging once more, never a flag that is only believed to be set.
  const state = parts.state()
  const flagged = new Map(state.flagged)
  for (const { id, ...rest } of flags) flagged.set(id, { ...rest, kind, atMs } satisfies Flagged)
  await parts.save({ ...state, flagged, requests: withDone(state, done) })
  parts.log.info('set flags', { kind, datasets: flags.length, first: flags[0]?.id })
}

async function record(prepared: Prepared, outcome: Outcome, parts: ApplyParts): Promise<void> {
  const state = parts.state()
  const { sha256: version, topDigest } = prepared.compiled
  const loaded = new Map<string, Loaded>(state.loaded)
  const flagged = new Map(state.flagged)
  for (const id of outcome.served) {
    const digest = prepared.datasets.get(id)?.digest
    if (digest !== undefined) loaded.set(id, { digest, version, proved: true })
  }
  for (const id of [...outcome.served, ...outcome.gone]) flagged.delete(id)
  for (const id of outcome.forgotten) {
    loaded.delete(id)
    flagged.delete(id)
  }
  for (const [id, failure] of outcome.failed) {
    const before = flagged.get(id)
    if (before !== undefined) flagged.set(id, { ...before, failure })
    parts.log.warn('a dataset failed', { id, code: failure.code, file: failure.file, line: failure.line })
  }
  repoint(prepared, loaded)
  await parts.save({
    ...state,
    loaded,
    flagged,
    applied: prepared.number,
    written: version,
    read: outcome.read ? version : state.read,
    topDigest: outcome.top ? topDigest : state.topDigest,
    served: outcome.whole ? prepared.number : state.served,
    requests: withDone(state, outcome.done),
  })
  await prune(prepared, parts)
  if (outcome.whole) parts.log.info('ERDDAP serves the release', { release: prepared.number })
}

/** The same definition stands in the newest file too; pointing there lets older ones go. */
function repoint({ compiled, datasets }: Prepared, loaded: Map<string, Loaded>): void {
  for (const [id, entry] of loaded) {
    if (datasets.get(id)?.active === true && datasets.get(id)?.digest === entry.digest) {
      loaded.set(id, { ...entry, version: compiled.sha256 })
    }
  }
}

async function prune({ compiled }: Prepared, parts: ApplyParts): Promise<void> {
  const { loaded, flagged } = parts.state()
  const used = [...loaded.values(), ...flagged.values()].map(({ version }) => version)
  await parts.versions.prune(new Set([compiled.sha256, ...used]))
}

async function tidy(paths: readonly string[], parts: ApplyParts): Promise<void> {
  const state = parts.state()
  for (const path of paths) await parts.sideFiles.remove(path, state.sideFiles.get(path))
  const sideFiles = new Map(state.sideFiles)
  for (const path of paths) sideFiles.delete(path)
  await parts.save({ ...state, sideFiles })
}

function withDone(state: NodeState, done: readonly Done[]): ReadonlyMap<string, number> {
  const requests = new Map(state.requests)
  for (const { request, generation } of done) {
    requests.set(request, Math.max(generation, requests.get(request) ?? 0))
  }
  return requests
}
