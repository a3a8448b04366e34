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
import type { Flagged, FlagKind, NodeState, Version } from './node-state.ts'
import type { SideFiles } from './side-files.ts'
import { type Readable, splitLeniently, type Versions } from './versions.ts'

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
      return await learn(step.prepared, step.read, parts)
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

/**
 * Takes account of a file that ERDDAP read: whatever stands in it may have been loaded. It may be the wanted one, one of an
 * earlier release, the node's own before the first release, or one that somebody edited.
 */
async function learn({ datasets, compiled }: Prepared, read: string, parts: ApplyParts): Promise<void> {
  const isOurs = read === compiled.sha256
  const found = isOurs ? { datasets: [...datasets.values()], topDigest: undefined } : await readLast(read, parts)
  if (found === undefined) return
  const state = parts.state()
  const maybe = new Map(state.maybe)
  const flagged = new Map(state.flagged)
  for (const { id, digest, active } of found.datasets) {
    // What is off was not loaded.
    if (active) maybe.set(id, withCandidate(state, id, { digest, version: read }))
    // The flag may have been answered with this definition.
    if (flagged.get(id)?.digest !== digest) flagged.delete(id)
  }
  for (const [id, candidates] of maybe) if (candidates.length === 0) maybe.delete(id)
  parts.log.debug('ERDDAP has read another datasets.xml', { ours: isOurs, datasets: found.datasets.length })
  await parts.save({ ...state, maybe, flagged, read, topDigest: found.topDigest ?? state.topDigest })
}

/** The file that ERDDAP read last, if it is still the one that was looked at. */
async function readLast(read: string, { bigParentDirectory, versions }: ApplyParts): Promise<Readable | undefined> {
  const bytes = await readFile(join(bigParentDirectory, 'currentDatasets.xml'))
  if (sha256(bytes) !== read) return undefined
  await versions.save(read, bytes)
  return splitLeniently(bytes)
}

const CANDIDATES_MAX = 4

function withCandidate({ loaded, maybe }: NodeState, id: string, candidate: Version): readonly Version[] {
  const before = maybe.get(id) ?? []
  const isKnown = [loaded.get(id), ...before].some((each) => each?.digest === candidate.digest)
  if (isKnown) return before
  // Each keeps a whole file; with too many, it only counts that there are more.
  const kept = before.length < CANDIDATES_MAX ? before : [{ digest: '', version: '' }, ...before.slice(2)]
  return [...kept, candidate]
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
  const { sha256: digest } = compiled
  try {
    await takeLeave(parts)
    await versions.save(digest, compiled.chunks)
    await removeLeftovers(datasetsXml)
    await writeAtomic(datasetsXml, compiled.chunks, { ...op, ...(await modeOf(datasetsXml)) })
    await parts.save({ ...parts.state(), written: digest, applied: number })
  } catch (error) {
    throw refused(error, datasetsXml)
  }
  log.info('wrote datasets.xml', { release: number, datasets: compiled.datasets.length, bytes: compiled.size })
}

/** Keeps a copy of a datasets.xml that this node did not write. */
async function takeLeave({ datasetsXml, versions, log, state, save }: ApplyParts): Promise<void> {
  const current = await digestOf(datasetsXml)
  if (current === undefined || current === state().written) return
  const copy = await versions.keep(datasetsXml)
  log.warn('datasets.xml was not written by this node; it is put back, and a copy is kept', { copy })
  // Flags that are not settled yet may have been answered with what stood in it.
  await save({ ...state(), flagged: new Map() })
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
  const loaded = new Map(state.loaded)
  const maybe = new Map(state.maybe)
  const flagged = new Map(state.flagged)
  for (const id of outcome.served) {
    const digest = prepared.datasets.get(id)?.digest
    if (digest !== undefined) loaded.set(id, { digest, version })
    maybe.delete(id)
  }
  for (const id of [...outcome.served, ...outcome.gone]) flagged.delete(id)
  for (const id of outcome.forgotten) {
    loaded.delete(id)
    maybe.delete(id)
    flagged.delete(id)
  }
  for (const [id, failure] of outcome.failed) {
    const before = flagged.get(id)
    if (before !== undefined) flagged.set(id, { ...before, failure })
    parts.log.warn('a dataset failed', { id, code: failure.code, file: failure.file, line: failure.line })
  }
  const repoint = repointer(prepared)
  await parts.save({
    ...state,
    loaded: new Map([...loaded].map(([id, each]) => [id, repoint(id, each)])),
    maybe: new Map([...maybe].map(([id, all]) => [id, all.map((each) => repoint(id, each))])),
    flagged,
    applied: prepared.number,
    written: version,
    topDigest: outcome.top ? topDigest : state.topDigest,
    served: outcome.whole ? prepared.number : state.served,
    requests: withDone(state, outcome.done),
  })
  await prune(prepared, parts)
  if (outcome.whole) parts.log.info('ERDDAP serves the release', { release: prepared.number })
}

/** The same definition stands in the newest file too; pointing there lets older ones go. */
function repointer({ compiled, datasets }: Prepared): (id: string, version: Version) => Version {
  return (id, version) => {
    const wanted = datasets.get(id)
    const isSame = wanted?.active === true && wanted.digest === version.digest
    return isSame ? { digest: version.digest, version: compiled.sha256 } : version
  }
}

async function prune({ compiled }: Prepared, parts: ApplyParts): Promise<void> {
  const { loaded, maybe, flagged } = parts.state()
  const used = [...loaded.values(), ...[...maybe.values()].flat(), ...flagged.values()].map(({ version }) => version)
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
