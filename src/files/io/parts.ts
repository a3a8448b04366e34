import { randomBytes } from 'node:crypto'
import { constants, fchmod, type Stats } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { posix } from 'node:path'
import { promisify } from 'node:util'
import { folderOf } from '../../core/files/entry.ts'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { Part, TreeParts } from '../../core/files/tree-parts.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import { removeEmptyInside, withFolderInside } from '../../lib/inside.ts'
import { Outside } from '../../lib/open-inside.ts'
import { safePath } from '../../lib/safe-path.ts'
import { explained, isAbsent } from './faults.ts'
import { FolderPart, PART_FLAGS } from './part.ts'
import { sweepFiles } from './temporaries.ts'
import type { FolderFiles } from './tree-files.ts'

/** All parts of a tree lie here, on its own file system: one that is whole is renamed to its place. */
const AREA = `${TEMPORARY_PREFIX}parts`
/** Below the folder of a tree: where other programs write what is taken. */
export const INCOMING = `${TEMPORARY_PREFIX}incoming`
const ID = /^[a-z0-9-]{1,64}$/
const OF_ID = 'id-'
/** Moved here from where another program had written it; nobody asks for it again. */
const TAKEN = 'taken-'
const DEAD_MS = 24 * 3_600_000
const SWEEP_EVERY_MS = 3_600_000
const MODE = 0o644

const changeMode = promisify(fchmod)

/** Bodies that come in several goes into the tree of `files`; nobody else may have them open. Those that are dead are swept now and then. */
export async function openTreeParts(
  files: FolderFiles,
  options: { readonly clock: Clock; readonly log: Logger },
): Promise<FolderParts> {
  const parts = new FolderParts(files, options.clock, options.log)
  await parts.load()
  return parts
}

export class FolderParts implements TreeParts {
  readonly incoming: string
  readonly #files: FolderFiles
  readonly #clock: Clock
  readonly #log: Logger
  /** By name; undefined while it is being opened. */
  readonly #open = new Map<string, FolderPart | undefined>()
  #sweptMs = 0

  constructor(files: FolderFiles, clock: Clock, log: Logger) {
    this.#files = files
    this.#clock = clock
    this.#log = log
    this.incoming = posix.join(files.tree.root, INCOMING)
  }

  async load(): Promise<void> {
    await this.sweep()
    const { root, calls } = this.#files.tree
    await sweepFiles({ ...this.#sweep(AREA), isOurs: isTaken, deadMs: -Infinity })
    await removeEmptyInside(root, [AREA], calls)
  }

  async open(id: string, { signal }: Op = {}): Promise<Part> {
    const name = nameOf(id)
    signal?.throwIfAborted()
    if (this.#open.has(name))
      throw new FlotillaError('LOST_RACE', `somebody else is writing the part ${id}`, { hint: 'Try again later.' })
    try {
      return await this.#opening(name, async () => {
        if (this.#clock.nowMs() - this.#sweptMs > SWEEP_EVERY_MS) await this.sweep()
        return this.#opened(name, constants.O_CREAT)
      })
    } catch (error) {
      throw explained(error, `the part ${id}`)
    }
  }

  async bytes(id: string): Promise<number> {
    const name = nameOf(id)
    const open = this.#open.get(name)
    if (open !== undefined) return open.bytes
    const { root, calls } = this.#files.tree
    try {
      return await withFolderInside(
        root,
        AREA,
        { calls },
        async ({ path }) => (await calls.lstat(`${path}/${name}`)).size,
      )
    } catch (error) {
      if (isAbsent(error)) return 0
      throw explained(error, `the part ${id}`)
    }
  }

  async take(given: string, { signal }: Op = {}): Promise<Part> {
    signal?.throwIfAborted()
    const path = safePath(given)
    const name = `${TAKEN}${randomBytes(12).toString('hex')}`
    try {
      return await this.#opening(name, async () => {
        await this.#move(path, name)
        return this.#opened(name, 0)
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw explained(error, given)
      throw new FlotillaError('NOT_FOUND', `there is no file ${given} in ${this.incoming}`, { cause: error })
    }
  }

  /** Removes what nobody has written to for a day. */
  async sweep(): Promise<void> {
    this.#sweptMs = this.#clock.nowMs()
    await sweepFiles({ ...this.#sweep(AREA), isOurs: (name) => !this.#open.has(name) })
    await sweepFiles(this.#sweep(INCOMING))
  }

  #sweep(from: string): Parameters<typeof sweepFiles>[0] {
    const { root, calls } = this.#files.tree
    const [clock, log] = [this.#clock, this.#log]
    return { root, calls, clock, log, from, deadMs: DEAD_MS, isEntered: any, isOurs: any }
  }

  /** Out of the reach of whoever wrote it: what is verified from then on is what becomes visible. */
  async #move(given: string, name: string): Promise<void> {
    const { root, calls } = this.#files.tree
    const folder = posix.join(INCOMING, folderOf(given))
    await withFolderInside(root, folder, { calls }, async (from) => {
      // Not even through a link of a generation, which may lead to what is published.
      if ((await realpath(from.path)) !== posix.join(root, folder)) throw new Outside(`${given} is reached by a link`)
      const source = `${from.path}/${posix.basename(given)}`
      requirePlain(given, await calls.lstat(source))
      await withFolderInside(root, AREA, { make: true, calls }, async ({ path }) =>
        calls.rename(source, `${path}/${name}`),
      )
    })
  }

  async #opened(name: string, flags: number): Promise<FolderPart> {
    const { root, calls } = this.#files.tree
    return withFolderInside(root, AREA, { make: true, calls }, async ({ path }) => {
      const descriptor = await calls.open(`${path}/${name}`, PART_FLAGS | flags, MODE)
      try {
        const stats = await calls.fstat(descriptor)
        requirePlain(name, stats)
        const isNameless = isTaken(name)
        // As that of a file that came through us; where another user wrote it, it is not ours to change.
        if (isNameless) await changeMode(descriptor, MODE).catch(() => undefined)
        const place = { folder: AREA, name, descriptor, bytes: stats.size, isNameless }
        return new FolderPart(this.#files, place, () => this.#open.delete(name))
      } catch (error) {
        await calls.close(descriptor)
        throw error
      }
    })
  }

  /** One user at a time. */
  async #opening(name: string, open: () => Promise<FolderPart>): Promise<Part> {
    this.#open.set(name, undefined)
    try {
      const part = await open()
      this.#open.set(name, part)
      return part
    } catch (error) {
      this.#open.delete(name)
      throw error
    }
  }
}

function any(): boolean {
  return true
}

function isTaken(name: string): boolean {
  return name.startsWith(TAKEN)
}

function nameOf(id: string): string {
  if (ID.test(id)) return `${OF_ID}${id}`
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(id.slice(0, 80))} is no id of a part`)
}

function requirePlain(name: string, stats: Stats): void {
  if (stats.isFile() && stats.nlink === 1) return
  throw new FlotillaError('BAD_REQUEST', `${name} is no plain file with one name`)
}
