import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { TEMPORARY_PREFIX, writeAtomic } from '../../../lib/atomic-file.ts'
import { withoutFlags } from './candidates.ts'
import { digestOf } from './fingerprints.ts'
import { clearDecompressed, refused, setFlags } from './flag-folders.ts'
import { statOf } from './folders.ts'
import { learn } from './learn.ts'
import type { Done, Flag, Prepared, Step } from './model.ts'
import type { Flagged, FlagKind } from './node-state.ts'
import { type ApplyParts, withDone, withLists } from './parts.ts'
import { record } from './record.ts'

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
    removeLeftovers(datasetsXml)
    await writeAtomic(datasetsXml, compiled.chunks, { ...op, ...modeOf(datasetsXml) })
    await parts.save({ ...parts.state(), written: digest, applied: number, lists: withLists(parts.state(), compiled) })
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
  await save({ ...state(), ...withoutFlags(state(), () => true) })
}

/** Temporary files of a write that was cut short. Only this node's agent writes here. */
function removeLeftovers(path: string): void {
  const names = readdirSync(dirname(path))
  const left = names.filter((name) => name.startsWith(`${TEMPORARY_PREFIX}${basename(path)}-`))
  for (const name of left) rmSync(join(dirname(path), name), { force: true })
}

/** A file that others may not read stays so, if its owner is the one who writes it anew. */
function modeOf(path: string): { readonly mode?: number } {
  const found = statOf(path)
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
  const wanted = new Map(flags.map(({ id, digest }) => [id, digest]))
  const before = withoutFlags(state, (id, digest) => wanted.has(id) && wanted.get(id) !== digest)
  const flagged = new Map(before.flagged)
  for (const { id, ...rest } of flags) flagged.set(id, { ...rest, kind, atMs } satisfies Flagged)
  await parts.save({ ...state, maybe: before.maybe, flagged, requests: withDone(state, done) })
  parts.log.info('set flags', { kind, datasets: flags.length, first: flags[0]?.id })
}

async function tidy(paths: readonly string[], parts: ApplyParts): Promise<void> {
  const state = parts.state()
  for (const path of paths) await parts.sideFiles.remove(path, state.sideFiles.get(path))
  const sideFiles = new Map(state.sideFiles)
  for (const path of paths) sideFiles.delete(path)
  await parts.save({ ...state, sideFiles })
}
