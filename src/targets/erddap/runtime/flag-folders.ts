import { closeSync, openSync, readdirSync } from 'node:fs'
import { chmod, chown, lstat, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../../../core/errors.ts'
import { asDiskFull, syncDirectory } from '../../../lib/atomic-file.ts'
import { DATASET_ID } from '../definition/dataset-id.ts'
import { makeFolder, MISSING_HINT, statOf } from './folders.ts'
import type { FlagFolders } from './model.ts'
import type { FlagKind } from './node-state.ts'

const FOLDERS: Readonly<Record<FlagKind, string>> = { hard: 'hardFlag', soft: 'flag', 'bad-files': 'badFilesFlag' }
const KINDS = ['hard', 'soft', 'bad-files'] as const satisfies readonly FlagKind[]

/** The flags that lie in ERDDAP's folders; undefined where there is no bigParentDirectory. */
export function readFlags(bigParentDirectory: string): FlagFolders | undefined {
  if (statOf(bigParentDirectory)?.isDirectory() !== true) return undefined
  const folders = KINDS.map((kind) => readFolder(join(bigParentDirectory, FOLDERS[kind])))
  const [hard, soft, badFiles] = folders.map(({ names }) => names)
  return {
    set: { hard: hard ?? new Set(), soft: soft ?? new Set(), 'bad-files': badFiles ?? new Set() },
    changedMs: Math.max(...folders.map(({ changedMs }) => changedMs)),
  }
}

function readFolder(folder: string): { names: ReadonlySet<string>; changedMs: number } {
  const before = statOf(folder)
  if (before === undefined) return { names: new Set(), changedMs: 0 }
  const entries = readdirSync(folder, { withFileTypes: true })
  // ERDDAP ignores folders there, and takes everything else.
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  return { names: new Set(names), changedMs: statOf(folder)?.mtimeMs ?? 0 }
}

/**
 * Sets flags. The files are made in place and empty: what is in them does not matter to ERDDAP, and a temporary name
 * would be taken for a dataset. One that is there already stays.
 */
export async function setFlags(bigParentDirectory: string, kind: FlagKind, ids: readonly string[]): Promise<void> {
  const folder = join(bigParentDirectory, FOLDERS[kind])
  const bad = ids.find((id) => !DATASET_ID.test(id))
  if (bad !== undefined) throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(bad)} cannot be the name of a flag`)
  try {
    await makeLike(bigParentDirectory, folder)
    // Without pause, so that one poll of ERDDAP finds them all: each load it starts reads the whole of datasets.xml.
    for (const id of ids) closeSync(openSync(join(folder, id), 'a'))
    await syncDirectory(folder)
  } catch (error) {
    throw refused(error, folder)
  }
}

/** A folder that ERDDAP's user can delete files in, as in its parent. */
async function makeLike(parent: string, folder: string): Promise<void> {
  if (!(await makeFolder(folder))) return
  const { mode, uid, gid } = await stat(parent)
  await chmod(folder, mode & 0o7777)
  // Only root may give files away; as any other user the folder is in the right hands or in nobody's.
  await chown(folder, uid, gid).catch(() => undefined)
}

/**
 * Deletes what ERDDAP has decompressed for these datasets; it decompresses again when somebody asks. Nothing else in
 * bigParentDirectory is touched, and no link is followed. (EDD.decompressedDirectory; ERDDAPUtil's clear-cache.)
 */
export async function clearDecompressed(bigParentDirectory: string, ids: readonly string[]): Promise<void> {
  for (const id of ids.filter((each) => DATASET_ID.test(each))) {
    const folder = join(bigParentDirectory, 'decompressed', id.slice(-2), id)
    const found = await lstat(folder).catch(absent)
    if (found?.isDirectory() !== true) continue
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}

/** The errors of a disk that somebody has to do something about, said so. */
export function refused(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new FlotillaError('CONFIG_INVALID', `no permission for ${path}`, {
      file: path,
      hint: 'Let the agent run as ERDDAP’s user, or in its group with write permission for that group.',
      cause: error,
    })
  }
  if (code === 'ENOENT') {
    return new FlotillaError('CONFIG_INVALID', `${path} is not there`, {
      file: path,
      hint: MISSING_HINT,
      cause: error,
    })
  }
  return asDiskFull(error, path)
}
