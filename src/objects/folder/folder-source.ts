import { realpath } from 'node:fs/promises'
import { FlotillaError } from '../../core/errors.ts'
import { type FileEntry, tellableMs } from '../../core/files/entry.ts'
import { timeEtag } from '../../core/files/etag.ts'
import type { FileSource, ListScope } from '../../core/files/source.ts'
import type { Op } from '../../core/op.ts'
import { callsFor, type FileCalls } from '../../lib/file-calls.ts'
import { openFileInside } from '../../lib/inside.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { askFolder } from './ask-folder.ts'
import { filesUnder } from './files-under.ts'

const PAGE = 1000
const CHUNK_BYTES = 1024 * 1024

/**
 * The files of a folder of this machine, under the keys that a file service would give them. Hidden are our own files, names that end with
 * `~`, whatever is no regular file, and links but those of generations.
 */
export function openFolderSource(folder: string): FileSource {
  return new FolderSource(folder)
}

class FolderSource implements FileSource {
  readonly name: string
  readonly sorted = true
  readonly #folder: string

  constructor(folder: string) {
    this.name = `folder ${folder}`
    this.#folder = folder
  }

  async *list({ prefixes = [], enters = () => true, signal }: ListScope & Op): AsyncGenerator<FileEntry[], void> {
    const { path: root, calls } = await this.#open()
    const matters = (folder: string): boolean =>
      prefixes.length === 0 || prefixes.some((prefix) => folder.startsWith(prefix) || prefix.startsWith(folder))
    const isWanted = ({ key }: FileEntry): boolean => prefixes.some((prefix) => key.startsWith(prefix))
    let page: FileEntry[] = []
    const options = { root, calls, enters: (folder: string) => matters(folder) && enters(folder), signal }
    for await (const run of filesUnder(options)) {
      for (const file of prefixes.length === 0 ? run : run.filter(isWanted)) {
        page.push(file)
        if (page.length < PAGE) continue
        yield page
        page = []
      }
    }
    if (page.length > 0) yield page
    // What went away as a whole is not empty.
    await this.#open()
  }

  async open(
    entry: FileEntry,
    { start = 0, end = entry.size, signal }: Op & { readonly start?: number; readonly end?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    signal?.throwIfAborted()
    const { path: root, calls } = await this.#open()
    const descriptor = await askFolder(this.#folder, async () =>
      openFileInside(root, keyPath(entry.key), calls).catch((error: unknown) => {
        throw forbidden(error, `${entry.key} of ${this.name}`)
      }),
    )
    if (descriptor === undefined) throw new FlotillaError('NOT_FOUND', `${this.name} has no ${entry.key}`)
    const bytes = this.#read(descriptor, entry, { start, end: Math.min(end, entry.size) }, calls, signal)
    try {
      await this.#check(descriptor, entry, calls)
    } catch (error) {
      await calls.close(descriptor)
      throw error
    }
    return bytes
  }

  async close(): Promise<void> {
    // Nothing is kept open.
  }

  async *#read(
    descriptor: number,
    entry: FileEntry,
    { start, end }: { readonly start: number; readonly end: number },
    calls: FileCalls,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void> {
    try {
      for (let position = start; position < end;) {
        signal?.throwIfAborted()
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position))
        const count = await calls.read(descriptor, chunk, position)
        if (count === 0) throw this.#changed(entry)
        position += count
        yield chunk.subarray(0, count)
      }
      await this.#check(descriptor, entry, calls)
    } finally {
      await calls.close(descriptor)
    }
  }

  /** Rejects with `CHANGED` where the file that is open is not the one that was listed. */
  async #check(descriptor: number, entry: FileEntry, calls: FileCalls): Promise<void> {
    const stat = await calls.fstat(descriptor)
    if (!stat.isFile()) throw new FlotillaError('NOT_FOUND', `${this.name} has no ${entry.key}`)
    const { size } = stat
    const modifiedMs = tellableMs(stat.mtimeMs)
    if (timeEtag({ size, modifiedMs }) !== (entry.etag || timeEtag(entry))) throw this.#changed(entry)
  }

  #changed({ key }: FileEntry): FlotillaError {
    return new FlotillaError('CHANGED', `${key} of ${this.name} is no longer what was listed`)
  }

  /** Rejects with `UNREACHABLE` where there is no folder. */
  async #open(): Promise<Root> {
    const open = async (): Promise<Root> => {
      const path = await realpath(this.#folder)
      return { path, calls: await callsFor(path) }
    }
    const root = await askFolder(this.#folder, open)
    if (root !== undefined) return root
    throw new FlotillaError('UNREACHABLE', `${this.name} is not there`)
  }
}

interface Root {
  /** Without links. */
  readonly path: string
  readonly calls: FileCalls
}

/** What asking again does not cure; any other error stays as it is. */
function forbidden(error: unknown, what: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EACCES' && code !== 'EPERM') return error
  return new FlotillaError('FORBIDDEN', `${what} cannot be read: permission denied`, {
    hint: 'Look at its owner and its mode.',
    cause: error,
  })
}
