import { createHash } from 'node:crypto'
import { copyFile, lstat, open, readdir, realpath } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { type Group, openGroup } from '../files/generations/group.ts'
import type { Staging } from '../files/generations/staging.ts'
import { setModified } from '../lib/file-calls.ts'
import { withFolderInside } from '../lib/inside.ts'
import { isInside } from '../lib/open-inside.ts'
import { holdLock } from '../lib/process-lock.ts'
import { isSafePath, OWN_PREFIX, pathKey } from '../lib/safe-path.ts'
import { STATE_FOLDER } from '../sync/pull.ts'

export interface Published {
  readonly generation: number
  readonly files: number
  readonly bytes: number
  /** Of the files, those that are the same as in the generation before, and cost no room. */
  readonly unchanged: number
  /** How many files that were visible before are not among them, and so no longer visible. */
  readonly gone: number
  /** False when everything is as it was. */
  readonly changed: boolean
}

interface PublishOptions extends Op {
  /** The folder whose files are published; it stays as it is. */
  readonly from: string
  /** Of the tree. */
  readonly root: string
  /** Key of the folder in the tree that is replaced as a whole. */
  readonly group: string
  /** How many older generations stay. */
  readonly keep: number
  readonly clock: Clock
}

interface Found {
  /** From the root of `from`, with forward slashes. */
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

const READERS_MS = 3_600_000

/**
 * Shows a copy of a folder in a tree, all of it in one moment. Who reads the one before goes on reading that. Rejects, with nothing
 * changed for readers, where a file changes while it is copied, or cannot be served under its name.
 */
export async function publishFolder({
  from,
  root,
  group: key,
  keep,
  clock,
  signal,
}: PublishOptions): Promise<Published> {
  if (!isSafePath(key)) {
    throw new FlotillaError('USAGE', `${key} is no place in a tree`, { hint: 'Write it without . and .. in it.' })
  }
  const [source, tree] = [await folderAt(from), await folderAt(root)]
  if (source === tree || isInside(source, tree) || isInside(join(tree, key), source)) {
    throw new FlotillaError('USAGE', `${from} and the published folder lie in each other`, {
      hint: 'Write the files of a generation elsewhere, such as beside the tree.',
    })
  }
  const letGo = await holdLock(join(tree, `${OWN_PREFIX}publish.lock`), `the generations of ${root}`)
  try {
    const group = await openGroup({ root: tree, group: key, clock })
    await group.discard()
    const files = await scan(source, '')
    const id = manifestOf(files)
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    const current = await group.current()
    const facts = { files: files.length, bytes }
    if (current?.id === id)
      return { ...facts, generation: current.number, unchanged: files.length, gone: 0, changed: false }
    const gone = await countGone(join(tree, current?.folder ?? key), files)
    const unchanged = await stage(group, { source, tree, files, signal })
    const generation = await group.seal(id)
    await group.flip(generation)
    await group.sweep({ keep, minAgeMs: READERS_MS })
    return { ...facts, generation: generation.number, unchanged, gone, changed: true }
  } finally {
    await letGo()
  }
}

async function folderAt(path: string): Promise<string> {
  const real = await realpath(path).catch(() => undefined)
  if (real !== undefined && (await lstat(real)).isDirectory()) return real
  throw new FlotillaError('NOT_FOUND', `there is no folder ${path}`)
}

/** By path. Throws `USAGE` for what could not be served. */
async function scan(source: string, folder: string): Promise<readonly Found[]> {
  const found: Found[] = []
  for (const entry of await readdir(join(source, folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name)
    // What `sync` remembers of a folder that it keeps in step.
    if (path === STATE_FOLDER) continue
    if (entry.isDirectory()) found.push(...(await scan(source, path)))
    else if (!entry.isFile()) throw refused(path, 'it is no regular file')
    else if (entry.name.endsWith('~') || pathKey(path) === undefined) throw refused(path, 'such names are hidden')
    else {
      const { size, mtimeMs } = await lstat(join(source, path))
      found.push({ path, size, modifiedMs: mtimeMs })
    }
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** Of the files that are visible, those that no longer will be. */
async function countGone(before: string, files: readonly Found[]): Promise<number> {
  const entries = await readdir(before, { recursive: true, withFileTypes: true }).catch(() => [])
  const next = new Set(files.map(({ path }) => path))
  return entries.filter((entry) => {
    const path = posix.relative(before, join(entry.parentPath, entry.name))
    return entry.isFile() && !entry.name.endsWith('~') && pathKey(path) !== undefined && !next.has(path)
  }).length
}

function refused(path: string, why: string): FlotillaError {
  return new FlotillaError('USAGE', `${path} cannot be published: ${why}`, { hint: 'Move it out of the folder.' })
}

function manifestOf(files: readonly Found[]): string {
  const hash = createHash('sha256')
  for (const { path, size, modifiedMs } of files)
    hash.update(`${JSON.stringify([path, size, Math.round(modifiedMs * 1000)])}\n`)
  return hash.digest('hex')
}

interface Work extends Op {
  readonly source: string
  readonly tree: string
  readonly files: readonly Found[]
}

/** Answers how many files were taken over from the generation before. */
async function stage(group: Group, { source, tree, files, signal }: Work): Promise<number> {
  const staging = await group.stage()
  let taken = 0
  for (const file of files) {
    signal?.throwIfAborted()
    if (await staging.take(file.path, file)) taken++
    else await copy(staging, file, { source, tree })
  }
  return taken
}

async function copy(staging: Staging, file: Found, { source, tree }: Pick<Work, 'source' | 'tree'>): Promise<void> {
  const from = join(source, file.path)
  const above = posix.dirname(file.path)
  const folder = above === '.' ? staging.folder : posix.join(staging.folder, above)
  await withFolderInside(tree, folder, { make: true }, async (inside) => {
    const to = `${inside.path}/${posix.basename(file.path)}`
    await copyFile(from, to)
    const { size, mtimeMs } = await lstat(from)
    if (size !== file.size || mtimeMs !== file.modifiedMs) {
      throw new FlotillaError('CHANGED', `${from} changed while it was copied`, {
        hint: 'Publish it when it is whole.',
      })
    }
    const handle = await open(to, 'r')
    try {
      await setModified(handle.fd, file.modifiedMs)
      await handle.sync()
    } finally {
      await handle.close()
    }
  })
}
