import { chownSync, fchmodSync, fstatSync, lstatSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { asDiskFull, syncDirectory, temporaryName } from '../lib/atomic-file.ts'
import { holdsNow, syncDescriptor, withNewFile } from '../lib/quick-file.ts'
import { runProgram } from '../lib/run-program.ts'
import type { Owner } from './owner.ts'

/** Where a rendered text goes, and what is done with it there. */
export interface Place {
  readonly to: string
  readonly mode: number
  readonly owner?: Owner | undefined
  /** Programs of the local configuration with their arguments; `{}` in one is the file. */
  readonly check?: readonly string[] | undefined
  readonly after?: readonly string[] | undefined
}

export interface Text {
  readonly text: string
  /** Then nobody but its owner may read the file, and what programs say of it is told to nobody. */
  readonly isSecret: boolean
}

const CHECK_MS = 30_000
const AFTER_MS = 60_000

/** Whether the file is there with these bytes, this mode and this owner, and is no link. */
export function isInPlace({ text, isSecret }: Text, { to, mode, owner }: Place): boolean {
  if (!holdsNow(to, Buffer.from(text))) return false
  const stat = lstatSync(to)
  if ((stat.mode & 0o7777) !== modeOf(mode, isSecret)) return false
  return owner === undefined || (stat.uid === owner.uid && (owner.gid === undefined || stat.gid === owner.gid))
}

/** Without what others could do, where it holds a secret. */
function modeOf(mode: number, isSecret: boolean): number {
  return isSecret ? mode & 0o700 : mode
}

/**
 * Puts the text in its place: a reader, and a crash at any point, sees the old file or the new one, whole. `beforeSwap` runs when
 * the check has passed. Rejects with `TEMPLATE_FAILED` where it has not; the old file is then as it was.
 */
export async function put(
  { text, isSecret }: Text,
  place: Place,
  beforeSwap: () => Promise<void>,
  op: Op,
): Promise<void> {
  const { to, mode, owner, check } = place
  const candidate = join(dirname(to), temporaryName(to))
  try {
    await withNewFile(candidate, [Buffer.from(text)], 0o600, async (file) => {
      if (owner !== undefined) chownSync(candidate, owner.uid, owner.gid ?? fstatSync(file).gid)
      // The mask of the process does not count here.
      fchmodSync(file, modeOf(mode, isSecret))
      await syncDescriptor(file)
    })
    if (check !== undefined) await run(check, candidate, { timeMs: CHECK_MS, isSecret, name: to, ...op })
    op.signal?.throwIfAborted()
    await beforeSwap()
    renameSync(candidate, to)
  } catch (error) {
    rmSync(candidate, { force: true })
    throw asPlaceError(error, to)
  }
  await syncDirectory(dirname(to))
}

/** Tells whoever uses the file that it is new. */
export async function runAfter({ isSecret }: Pick<Text, 'isSecret'>, { to, after }: Place, op: Op): Promise<void> {
  if (after !== undefined) await run(after, to, { timeMs: AFTER_MS, isSecret, name: to, ...op })
}

interface RunOf extends Op {
  readonly timeMs: number
  readonly isSecret: boolean
  readonly name: string
}

async function run(command: readonly string[], file: string, { isSecret, name, ...options }: RunOf): Promise<void> {
  const program = command[0] ?? ''
  const { code, said } = await runProgram(
    command.map((word) => word.replaceAll('{}', file)),
    { ...options, cwd: dirname(name) },
  )
  if (code === 0) return
  const words = isSecret ? 'what it said is not shown: the file holds a secret' : said.replaceAll(file, name)
  throw new FlotillaError(
    'TEMPLATE_FAILED',
    `${program} ended with ${code} for ${name}: ${words || 'it said nothing'}`,
    {
      hint: 'The last good file stays. Run the command by hand, or look at the template with `flotilla render`.',
    },
  )
}

function asPlaceError(error: unknown, to: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new FlotillaError('TEMPLATE_FAILED', `there is no folder ${dirname(to)}`, {
      hint: 'Make it; nothing else may be meant.',
    })
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new FlotillaError('TEMPLATE_FAILED', `${to} cannot be written by this user: ${code}`, { cause: error })
  if (code === 'EISDIR') return new FlotillaError('TEMPLATE_FAILED', `${to} is a folder`, { cause: error })
  return asDiskFull(error, to)
}
