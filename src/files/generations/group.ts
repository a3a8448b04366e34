import { readdir, realpath } from 'node:fs/promises'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import { callsFor, type FileCalls } from '../../lib/file-calls.ts'
import { type FolderInside, withFolderInside } from '../../lib/inside.ts'
import { syncDescriptor } from '../../lib/quick-file.ts'
import { KeyLocks } from '../../lib/key-locks.ts'
import { explained, isAbsent } from '../io/faults.ts'
import {
  type Generation,
  generationName,
  generationOf,
  type GroupLayout,
  layoutOf,
  NEXT,
  OLD_PREFIX,
} from './layout.ts'
import { Place } from './place.ts'
import { openFolders } from './readers.ts'
import { removeTree } from './remove-tree.ts'
import { finishGeneration } from './seal.ts'
import { Staging } from './staging.ts'

export interface GroupOptions {
  /** The folder of the tree. */
  readonly root: string
  /** Key of the folder in it that is published as a whole. */
  readonly group: string
  readonly clock: Clock
}

/**
 * Opens a group of files of a tree that become visible together: its place is a link to the current one of its generations. One
 * process opens a group at a time. What an earlier one was killed at is taken to its end or back.
 */
export async function openGroup({ root, group, clock }: GroupOptions): Promise<Group> {
  const real = await realpath(root)
  const opened = new Group(real, layoutOf(group), clock, await callsFor(real))
  await opened.recover()
  return opened
}

export class Group {
  readonly #root: string
  readonly #layout: GroupLayout
  readonly #clock: Clock
  readonly #calls: FileCalls
  readonly #place: Place
  readonly #locks = new KeyLocks()

  constructor(root: string, layout: GroupLayout, clock: Clock, calls: FileCalls) {
    this.#root = root
    this.#layout = layout
    this.#clock = clock
    this.#calls = calls
    this.#place = new Place(root, layout, clock, calls)
  }

  /** The one that is visible; undefined while there is none, or a plain folder. */
  async current(): Promise<Generation | undefined> {
    return this.#place.current()
  }

  /** All that are whole, the oldest first: older ones, the current one, and those that are staged. */
  async list(): Promise<readonly Generation[]> {
    const names = await this.#names()
    return names.flatMap((name) => generationOf(this.#layout, name) ?? []).toSorted((a, b) => a.number - b.number)
  }

  /** Begins a generation, or goes on with the one that was begun last. */
  async stage(): Promise<Staging> {
    return this.#exclusive(async () => {
      const folder = `${this.#layout.folder}/${NEXT}`
      const made = await this.#inside(folder, async ({ made }) => made, true)
      return new Staging(this.#root, this.#calls, { folder, from: this.#layout.place }, !made.includes(folder))
    })
  }

  /**
   * What is staged is whole: it gets its number, and is kept until it is flipped to or removed. `id`: 1 to 128 letters, digits, `-` and
   * `_`, such as the hash of what is in it. The files in it must be durable. Those that are not wanted go.
   */
  async seal(id: string, isWanted: (path: string) => boolean = () => true): Promise<Generation> {
    return this.#exclusive(async () => {
      const next = `${this.#layout.folder}/${NEXT}`
      const number = ((await this.list()).at(-1)?.number ?? 0) + 1
      const name = generationName(number, id)
      await finishGeneration({ root: this.#root, calls: this.#calls, folder: next, isWanted })
      await this.#inside(this.#layout.folder, async (folder) => {
        await this.#calls.rename(`${folder.path}/${NEXT}`, `${folder.path}/${name}`)
        await syncDescriptor(folder.descriptor)
      })
      return { number, id, folder: `${this.#layout.folder}/${name}` }
    })
  }

  /** Removes what is staged and not sealed. */
  async discard(): Promise<void> {
    await this.#exclusive(async () => {
      if ((await this.#names()).includes(NEXT))
        await this.#inside(this.#layout.folder, async ({ path }) => removeTree(path, NEXT))
    })
  }

  /**
   * Makes a generation, also an older one, the visible one: in one moment, and durably. Who has opened the folder before goes on
   * reading what it was. A plain folder in the place is kept as generation 0 (id `folder`); it is exchanged in one
   * moment too where the system has a program for that, see `exchange`, and otherwise the place is empty between two
   * renames, the first time only.
   */
  async flip(generation: Generation): Promise<void> {
    await this.#exclusive(async () => {
      const before = await this.#place.current()
      if (before?.folder === generation.folder) return
      const known = (await this.list()).find(({ folder }) => folder === generation.folder)
      if (known === undefined) {
        throw new FlotillaError('NOT_FOUND', `there is no generation ${generation.number} of ${this.#layout.place}`)
      }
      await this.#place.put(known)
      if (before !== undefined) await this.#place.touch(before.folder)
    })
  }

  /** Removes a generation that is staged, or old; never the current one. */
  async remove(generation: Generation): Promise<void> {
    await this.#exclusive(async () => {
      if ((await this.#place.current())?.folder === generation.folder) {
        throw new FlotillaError(
          'BAD_REQUEST',
          `generation ${generation.number} of ${this.#layout.place} is the current one`,
        )
      }
      await this.#remove(generation)
    })
  }

  /**
   * Removes what is left of removals, and generations older than the current one but for the `keep` newest, those that were current
   * within the last `minAgeMs`, and, as far as the system tells, those that somebody has opened. Answers which.
   */
  async sweep({
    keep,
    minAgeMs,
  }: {
    readonly keep: number
    readonly minAgeMs: number
  }): Promise<readonly Generation[]> {
    return this.#exclusive(async () => {
      await this.#removeRemains()
      const current = await this.#place.current()
      const all = await this.list()
      const older = all.filter(({ number }) => current !== undefined && number < current.number)
      const candidates: Generation[] = []
      for (const generation of older.slice(0, Math.max(0, older.length - keep))) {
        const { mtimeMs } = await this.#inside(generation.folder, async ({ descriptor }) =>
          this.#calls.fstat(descriptor),
        )
        if (this.#clock.nowMs() - mtimeMs >= minAgeMs) candidates.push(generation)
      }
      const opened = await openFolders(candidates.map(({ folder }) => `${this.#root}/${folder}`))
      const removed = candidates.filter(({ folder }) => !opened.has(`${this.#root}/${folder}`))
      for (const generation of removed) await this.#remove(generation)
      return removed
    })
  }

  /** Takes a flip that was broken off to its end. */
  async recover(): Promise<void> {
    await this.#exclusive(async () => this.#place.recover())
  }

  async #remove({ number, id, folder }: Generation): Promise<void> {
    await this.#inside(this.#layout.folder, async (within) => {
      const old = `${OLD_PREFIX}${number}-${id}`
      // At once: what is removed half is no generation.
      await this.#calls.rename(`${this.#root}/${folder}`, `${within.path}/${old}`)
      await syncDescriptor(within.descriptor)
      await removeTree(within.path, old)
    })
  }

  async #removeRemains(): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith(OLD_PREFIX))
        await this.#inside(this.#layout.folder, async ({ path }) => removeTree(path, name))
    }
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await this.#inside(this.#layout.folder, async ({ path }) => readdir(path))
    } catch (error) {
      if (isAbsent(error)) return []
      throw error
    }
  }

  async #inside<T>(folder: string, use: (folder: FolderInside) => T | Promise<T>, make = false): Promise<T> {
    return withFolderInside(this.#root, folder, { calls: this.#calls, make }, use)
  }

  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#locks.with('', work)
    } catch (error) {
      throw explained(error, this.#layout.place)
    }
  }
}
