import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TIMEOUT_MS = 10_000

/** RENAME_EXCHANGE for programs that can call the kernel directly. Source: the kernel's tables of system calls (renameat2). */
const RENAMEAT2: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 316, arm64: 276 }

/**
 * Exchanges two names of an opened folder in one moment, which Node.js has no call for. Answers whether it could: it takes a mv of
 * coreutils 9.5 or a perl, and a file system that can, which network file systems cannot.
 */
export async function exchange(folder: string, one: string, other: string): Promise<boolean> {
  const call = RENAMEAT2[process.arch]
  const perl = `exit(syscall(${call}, -100, $ARGV[0], -100, $ARGV[1], 2) == 0 ? 0 : 1)`
  const programs: readonly (readonly [program: string, args: readonly string[]])[] = [
    ['mv', ['--exchange', '--no-target-directory', '--', one, other]],
    ...(call === undefined ? [] : ([['perl', ['-e', perl, '--', one, other]]] as const)),
  ]
  if (process.platform !== 'linux') return false
  for (const [program, args] of programs) {
    try {
      await run(program, args, { cwd: folder, timeout: TIMEOUT_MS })
      return true
    } catch {
      // It is not there, or cannot do this: nothing was done.
    }
  }
  return false
}
