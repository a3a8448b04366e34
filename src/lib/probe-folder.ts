import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TEMPORARY_PREFIX } from './atomic-file.ts'

export interface FolderQualities {
  /** Renaming over an open file leaves the reader the old bytes and gives new readers the new ones. */
  readonly replacesAtomically: boolean
  /** The finest step of modification times, in milliseconds. */
  readonly timeStepMs: number
}

/** Tries in `folder`, with files of its own that it removes, what the rest of the program relies on. */
export async function probeFolder(folder: string): Promise<FolderQualities> {
  const name = (): string => join(folder, `${TEMPORARY_PREFIX}probe-${randomBytes(6).toString('hex')}`)
  const [target, replacement] = [name(), name()]
  try {
    await writeFile(target, 'old', { flag: 'wx' })
    const timeStepMs = await timeStep(target)
    await writeFile(replacement, 'new', { flag: 'wx' })
    const reader = await open(target, 'r')
    try {
      await rename(replacement, target)
      const [before, after] = [await reader.readFile('utf8'), await readFile(target, 'utf8')]
      return { replacesAtomically: before === 'old' && after === 'new', timeStepMs }
    } finally {
      await reader.close()
    }
  } finally {
    await Promise.all([rm(target, { force: true }), rm(replacement, { force: true })])
  }
}

/** Sets a time with a fraction and looks what the file system kept of it. */
async function timeStep(path: string): Promise<number> {
  const SECONDS = 1_600_000_001.234
  await utimes(path, SECONDS, SECONDS)
  const keptMs = (await stat(path)).mtimeMs
  const lostMs = Math.abs(SECONDS * 1000 - keptMs)
  return lostMs < 1 ? 1 : lostMs < 1000 ? 1000 : 2000
}

/** Bytes that this user may still write there. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
