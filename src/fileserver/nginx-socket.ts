import { once } from 'node:events'
import type { Server } from 'node:http'
import { chmod, lstat, mkdtemp, rename, rm, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { FlotillaError, messageOf } from '../core/errors.ts'

/** Its user and its group: nginx has to be one of them. */
const MODE = 0o660
/** Facts: unix(7), `sun_path`, without its end. What is longer is cut. */
const PATH_BYTES_MAX = 107

/**
 * Listens on a Unix socket that appears at `path` with its final rights, in the place of one that nobody listens on. Resolves with how to remove
 * it. Rejects with `PORT_TAKEN` where somebody listens there, `CONFIG_INVALID` where it cannot be.
 */
export async function listenOnSocket(server: Server, path: string): Promise<() => Promise<void>> {
  if (await isTaken(path)) {
    const hint = 'Stop the program that listens there, or choose another path.'
    throw new FlotillaError('PORT_TAKEN', `the socket ${path} is taken by another program`, { hint })
  }
  let folder: string | undefined
  try {
    // Nobody can reach it before its rights are set.
    folder = await mkdtemp(join(dirname(path), '.s-'))
    const own = join(folder, 's')
    if ([own, path].some((one) => Buffer.byteLength(one) > PATH_BYTES_MAX)) throw new Error('the path is too long')
    server.listen(own)
    await once(server, 'listening')
    await chmod(own, MODE)
    await rename(own, path)
    const { ino } = await lstat(path)
    return async () => {
      const there = await lstat(path).catch(() => undefined)
      if (there?.ino === ino) await unlink(path)
    }
  } catch (error) {
    throw unusable(path, messageOf(error), error)
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

async function isTaken(path: string): Promise<boolean> {
  const there = await lstat(path).catch(() => undefined)
  if (there === undefined) return false
  if (!there.isSocket()) throw unusable(path, 'something else is there')
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function unusable(path: string, why: string, cause?: unknown): FlotillaError {
  return new FlotillaError('CONFIG_INVALID', `cannot listen on the socket ${path}: ${why}`, {
    hint: 'It takes a path of about 90 bytes at most, in a folder that this user may write to and others may not.',
    cause,
  })
}
