import { randomBytes } from 'node:crypto'
import { opendir } from 'node:fs/promises'
import { type Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { withFolderInside } from '../../lib/inside.ts'
import { OWN_PREFIX } from '../../lib/safe-path.ts'

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

/** Removes what bodies that never came to their end have left anywhere in the tree. Looks at names only. */
export async function sweepTemporaries(sweep: Sweep): Promise<void> {
  await sweepFiles({ ...sweep, from: '', isEntered, isOurs: (name) => name.startsWith(PREFIX), deadMs: DEAD_MS })
}

/** Removes files that nobody has touched for that long. */
export async function sweepFiles(sweep: Swept): Promise<void> {
  // Folders are taken from the end: the list stays as short as the tree is deep and wide at one place.
  const folders = [sweep.from]
  let swept = 0
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (sweep.signal?.aborted === true) return
    swept += await sweepFolder(folder, folders, sweep)
  }
  if (swept > 0) sweep.log.info('removed what unfinished uploads had left', { files: swept })
}

async function sweepFolder(
  folder: string,
  folders: string[],
  { root, calls, clock, log, signal, isEntered, isOurs, deadMs }: Swept,
): Promise<number> {
  let swept = 0
  try {
    await withFolderInside(root, folder, { calls }, async ({ path }) => {
      for await (const entry of await opendir(path, { bufferSize: 512 })) {
        if (signal?.aborted === true) return
        if (entry.isDirectory() && isEntered(entry.name))
          folders.push(folder === '' ? entry.name : `${folder}/${entry.name}`)
        if (!entry.isFile() || !isOurs(entry.name)) continue
        // Its time of modification may be set already to what was asked for.
        const { mtimeMs, ctimeMs } = await calls.lstat(`${path}/${entry.name}`)
        if (clock.nowMs() - Math.max(mtimeMs, ctimeMs) < deadMs) continue
        await calls.unlink(`${path}/${entry.name}`)
        swept++
      }
    })
  } catch (error) {
    // A folder that went meanwhile, or that may not be read, keeps nobody from the others.
    log.debug('did not look for left-over temporary files in a folder', { folder, error })
  }
  return swept
}

function isEntered(name: string): boolean {
  return !name.startsWith(OWN_PREFIX) || name.startsWith(`${OWN_PREFIX}key-`) || name === '.flotilla-generations'
}
