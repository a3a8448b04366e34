import { randomBytes } from 'node:crypto'
import { opendir } from 'node:fs/promises'
import { type Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { withFolderInside } from '../../lib/inside.ts'
import { OWN_PREFIX } from '../../lib/safe-path.ts'
import { sleepQuietly } from '../../lib/waiting.ts'

/** Of bodies that come in. Others write temporary files too, which are theirs to sweep. */
const PREFIX = `${TEMPORARY_PREFIX}put-`
/** One that was not written to for so long is dead, whoever began it. */
const DEAD_MS = 3_600_000

/** Of this process: no other makes the same. */
const MINE = randomBytes(9).toString('hex')
let made = 0

export function temporaryPutName(): string {
  return `${PREFIX}${MINE}-${++made}`
}

interface Sweep {
  readonly root: string
  readonly calls: FileCalls
  readonly clock: Clock
  readonly log: Logger
  readonly signal?: AbortSignal
}

interface Swept extends Sweep {
  /** A folder of the tree. */
  readonly from: string
  readonly isEntered: (name: string) => boolean
  readonly isOurs: (name: string) => boolean
  readonly deadMs: number
}

/**
 * Removes what bodies that never came to their end have left anywhere in the tree. Looks at names only. Resolves with how many of others there are
 * that may be dead or not: too young to tell.
 */
export async function sweepTemporaries(sweep: Sweep): Promise<number> {
  return await sweepFiles({ ...sweep, from: '', isEntered, isOurs: isLeft, deadMs: DEAD_MS })
}

/** Looks once more when what was too young to tell is old enough, as long as there is any. */
export async function sweepAgain(sweep: Sweep & { readonly signal: AbortSignal }, young: number): Promise<void> {
  let left = young
  while (left > 0 && (await sleepQuietly(sweep.clock, DEAD_MS + 1000, sweep.signal)))
    left = await sweepTemporaries(sweep)
}

/** Those under way here are none. */
function isLeft(name: string): boolean {
  return name.startsWith(PREFIX) && !name.startsWith(PREFIX + MINE)
}

/** Removes files that nobody has touched for that long; resolves with how many are younger. */
export async function sweepFiles(sweep: Swept): Promise<number> {
  // Folders are taken from the end: the list stays as short as the tree is deep and wide at one place.
  const folders = [sweep.from]
  const found: Found = { swept: 0, young: 0 }
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (sweep.signal?.aborted === true) return 0
    await sweepFolder(folder, folders, sweep, found)
  }
  if (found.swept > 0) sweep.log.info('removed what unfinished uploads had left', { files: found.swept })
  return found.young
}

interface Found {
  swept: number
  young: number
}

async function sweepFolder(
  folder: string,
  folders: string[],
  { root, calls, clock, log, signal, isEntered, isOurs, deadMs }: Swept,
  found: Found,
): Promise<void> {
  try {
    await withFolderInside(root, folder, { calls }, async ({ path }) => {
      for await (const entry of await opendir(path, { bufferSize: 512 })) {
        if (signal?.aborted === true) return
        if (entry.isDirectory() && isEntered(entry.name))
          folders.push(folder === '' ? entry.name : `${folder}/${entry.name}`)
        if (!entry.isFile() || !isOurs(entry.name)) continue
        // Its time of modification may be set already to what was asked for.
        const { mtimeMs, ctimeMs } = await calls.lstat(`${path}/${entry.name}`)
        if (clock.nowMs() - Math.max(mtimeMs, ctimeMs) < deadMs) {
          found.young++
          continue
        }
        await calls.unlink(`${path}/${entry.name}`)
        found.swept++
      }
    })
  } catch (error) {
    // A folder that went meanwhile, or that may not be read, keeps nobody from the others.
    log.debug('did not look for left-over temporary files in a folder', { folder, error })
  }
}

function isEntered(name: string): boolean {
  return !name.startsWith(OWN_PREFIX) || name.startsWith(`${OWN_PREFIX}key-`) || name === '.flotilla-generations'
}
