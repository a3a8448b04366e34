import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import { Pace } from '../../../lib/pace.ts'
import { isSafePath } from '../../../lib/safe-path.ts'

/** What tells whether a file was written since: there is no cheaper way that misses nothing. */
export interface Identity {
  readonly dev: number
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
}

export interface Walked {
  /** By path relative to the root. */
  readonly files: ReadonlyMap<string, Identity>
  /** Every folder that was entered, '' for the root. */
  readonly folders: readonly string[]
  readonly problems: readonly Problem[]
}

export interface WalkOptions {
  /** Free of symbolic links. */
  readonly root: string
  /** Names that are not looked at, by path from the root; a folder that is left out is not entered. */
  readonly isLeftOut: (path: string, isFolder: boolean) => boolean
}

/** A data directory of 100,000 layers has some 400,000 files that count. */
const FILES_MAX = 2_000_000
const FOLDERS_MAX = 1_000_000
/**
 * The files of a data directory, by their attributes alone. Made in place: on a local disk a call takes microseconds, handing it to
 * a thread ten times as long. Rejects with `SOURCE_VANISHED` where a folder cannot be read: what it holds must not look deleted.
 */
export async function walk({ root, isLeftOut }: WalkOptions, op: Op): Promise<Walked> {
  const files = new Map<string, Identity>()
  const problems: Problem[] = []
  const folders = ['']
  const pace = new Pace(op)
  for (const folder of folders) {
    await pace.rest()
    for (const entry of namesIn(root, folder)) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      const isFolder = entry.isDirectory()
      if (isLeftOut(path, isFolder)) {
        if (!isSafePath(path)) problems.push(problem(path, 'FILE_NAME', 'the name cannot be carried to every node'))
        // A link may stand for a folder that counts.
        if (!entry.isSymbolicLink() || isLeftOut(path, true)) continue
      }
      if (isFolder) folders.push(path)
      else if (entry.isFile()) note(files, path, identityOf(`${root}/${path}`))
      else if (entry.isSymbolicLink()) problems.push(problem(path, 'FILE_UNREADABLE', LINK))
    }
    if (files.size > FILES_MAX || folders.length > FOLDERS_MAX) {
      throw new FlotillaError('TOO_LARGE', `${root} holds more files than any data directory`, { file: root })
    }
  }
  return { files, folders, problems }
}

function namesIn(root: string, folder: string) {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // Below the root a folder may have been removed a moment ago, as GeoServer does with that of a layer.
    if (folder !== '' && (code === 'ENOENT' || code === 'ENOTDIR')) return []
    throw vanished(join(root, folder), `cannot be read (${code})`, error)
  }
}

function note(files: Map<string, Identity>, path: string, identity: Identity | undefined): void {
  if (identity !== undefined) files.set(path, identity)
}

/** Undefined for what was removed meanwhile. */
function identityOf(path: string): Identity | undefined {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = lstatSync(path)
    return { dev, ino, size, mtimeMs, ctimeMs }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw vanished(path, `cannot be read (${code})`, error)
  }
}

const LINK = 'a symbolic link is not followed; it is left out'

function problem(file: string, code: Problem['code'], message: string): Problem {
  return { severity: 'warning', code, file, message }
}

export function vanished(what: string, how: string, cause?: unknown): FlotillaError {
  return new FlotillaError('SOURCE_VANISHED', `${what} ${how}`, {
    file: what,
    hint: 'Check `dataDirectory`, that what it lies on is mounted, and that GeoServer itself has it. Nothing was changed.',
    cause,
  })
}

export function isSameFile(a: Identity, b: Identity): boolean {
  return a.ino === b.ino && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.size === b.size && a.dev === b.dev
}
