import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import { sha256 } from '../../../lib/hash.ts'
import { Pace } from '../../../lib/pace.ts'
import { classify } from '../definition/classify.ts'
import { OBJECT_KINDS } from '../definition/model.ts'
import type { Overlay } from '../definition/overlay.ts'
import { IdIndex, parseFile, type ParsedFile } from '../definition/parsed.ts'
import { isPlain, plainEntry, portable, type PortableFile } from '../definition/portable.ts'
import { asRead, type Known } from './known.ts'
import { type Identity, isSameFile, vanished } from './walk.ts'

export interface ScannerOptions {
  /** Free of symbolic links. */
  readonly root: string
  readonly overlay: Overlay
  readonly clock: Clock
}

type Files = ReadonlyMap<string, Identity>

const LAST = OBJECT_KINDS.length
const RANKS: ReadonlyMap<string, number> = new Map(OBJECT_KINDS.map((kind, index) => [kind, index]))
const GROUPS = RANKS.get('layergroup') ?? LAST

/** Never through a link that took the place of the file. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** As many as a hub takes of one file. What is larger belongs to the data, and is not read: it might not fit into memory. */
const FILE_BYTES_MAX = 64 * 1024 * 1024
const TOO_LARGE = 'too large'

/**
 * Reads what changed in a data directory, kind by kind, so that whatever a file refers to is known before it is read: one file is in
 * memory at a time. What refers to an object that is called otherwise now, or is gone, is read again too.
 */
export class Scanner {
  readonly #options: ScannerOptions
  readonly #ids = new IdIndex()
  readonly known = new Map<string, Known>()
  /** Where tile layers lie, by key, once somebody has asked since the last update. */
  #tiles: ReadonlyMap<string, string> | undefined

  constructor(options: ScannerOptions) {
    this.#options = options
  }

  get root(): string {
    return this.#options.root
  }

  get ids(): ReadonlyMap<string, string> {
    return this.#ids.ids
  }

  /** Answers whether anything was read. */
  async update(files: Files, op: Op): Promise<boolean> {
    const pace = new Pace(op)
    this.#tiles = undefined
    const renamed = this.#forget(files)
    const queues = this.#changed(files)
    const unresolved = [...this.known].filter(
      ([, { problem }]) => problem?.code === 'REFERENCE_MISSING' || problem?.code === 'ID_MISSING',
    )
    let isChange = renamed.size > 0
    for (const [rank, queue] of queues.entries()) {
      const isMoved = renamed.size > 0 || isChange
      if (isMoved) this.#addDependents(queue, rank, renamed, unresolved)
      if (queue.size === 0) continue
      isChange = true
      if (rank === GROUPS) await this.#names(queue, files, renamed, pace)
      for (const path of queue) {
        await pace.rest()
        this.#read(path, files.get(path), renamed)
      }
    }
    return isChange
  }

  /** Where the file of that key lies; only that of a tile layer lies elsewhere than its path says. */
  placeOf(key: string): string | undefined {
    if (!key.startsWith('tile-layer/')) return undefined
    this.#tiles ??= new Map(
      [...this.known].flatMap(([path, { entry }]) => (entry?.class === 'tile-layer' ? [[entry.key, path]] : [])),
    )
    return this.#tiles.get(key)
  }

  /** The portable bytes of a file, from disk. Throws `SOURCE_VANISHED` if they are no longer those of `hash`. */
  portable(path: string, onDisk: string | undefined, hash: string | undefined): Uint8Array {
    const now = onDisk === undefined ? undefined : this.now(onDisk)
    if (now !== undefined && now.entry.sha256 === hash) return now.bytes
    throw vanished(join(this.root, onDisk ?? path), 'is no longer what it was when it was looked at')
  }

  /** A file as it is at this moment; undefined where it is gone, or half-written. */
  now(onDisk: string): PortableFile | undefined {
    const bytes = this.#bytes(onDisk)
    const place = classify(onDisk)
    if (!(bytes instanceof Uint8Array) || place.class === undefined) return undefined
    if (isPlain(place, onDisk))
      return { entry: plainEntry(onDisk, place.class, bytes.byteLength, sha256(bytes)), bytes }
    const made = portable(parseFile(onDisk, bytes), { ids: this.ids, overlay: this.#options.overlay })
    return 'problem' in made ? undefined : made
  }

  /** What is gone. Answers the keys that mean something else now. */
  #forget(files: Files): Set<string> {
    const renamed = new Set<string>()
    for (const [path, { id, entry }] of this.known) {
      if (files.has(path)) continue
      this.known.delete(path)
      if (id !== undefined) this.#ids.delete(id)
      if (entry !== undefined) renamed.add(entry.key)
    }
    return renamed
  }

  /** Files that were written since they were read, in one queue for each kind; the last is for what is no object. */
  #changed(files: Files): Set<string>[] {
    const queues = Array.from({ length: LAST + 1 }, () => new Set<string>())
    for (const [path, identity] of files) {
      const known = this.known.get(path)
      if (known?.read !== undefined && isSameFile(known.read, identity)) continue
      const place = known?.place ?? classify(path)
      queues[RANKS.get(place.kind ?? '') ?? LAST]?.add(path)
    }
    return queues
  }

  #addDependents(
    queue: Set<string>,
    rank: number,
    renamed: ReadonlySet<string>,
    unresolved: readonly [string, Known][],
  ): void {
    for (const [path, { place }] of unresolved) if (rankOf(place.kind) === rank && this.known.has(path)) queue.add(path)
    if (renamed.size === 0 || rank === LAST) return
    for (const [path, { place, entry }] of this.known) {
      if (rankOf(place.kind) === rank && entry?.needs.some((need) => renamed.has(need)) === true) queue.add(path)
    }
  }

  /** Groups hold groups: all of them must have their names before one of them is read. */
  async #names(queue: Set<string>, files: Files, renamed: Set<string>, pace: Pace): Promise<void> {
    for (const path of queue) {
      await pace.rest()
      const identity = files.get(path)
      const bytes = identity && this.#bytes(path)
      if (bytes instanceof Uint8Array) this.#name(path, parseFile(path, bytes), renamed)
    }
    this.#addDependents(queue, GROUPS, renamed, [])
  }

  #read(path: string, identity: Identity | undefined, renamed: Set<string>): void {
    if (identity === undefined) return
    const before = this.known.get(path)
    const place = before?.place ?? classify(path)
    const readMs = this.#options.clock.nowMs()
    const bytes = this.#bytes(path)
    const read = asRead(identity, readMs)
    if (!(bytes instanceof Uint8Array)) {
      const unread = { place, id: before?.id, entry: before?.entry }
      if (bytes === TOO_LARGE) this.known.set(path, { ...unread, read, problem: tooLarge(path) })
      // It may be gone by now, and is looked at again in any case.
      else this.known.set(path, { ...unread, read: undefined, problem: unreadable(path, bytes) })
      return
    }
    if (isPlain(place, path) && place.class !== undefined) {
      const entry = plainEntry(path, place.class, bytes.byteLength, sha256(bytes))
      this.known.set(path, { place, read, id: undefined, entry, problem: undefined })
      return
    }
    const parsed = parseFile(path, bytes)
    const id = parsed.fault === undefined ? this.#name(path, parsed, renamed) : before?.id
    const made = portable(parsed, { ids: this.ids, overlay: this.#options.overlay })
    if ('problem' in made) {
      // Half of a file, as a rule: what was good before stays until it is whole.
      this.known.set(path, { place, read, id, entry: before?.entry, problem: made.problem })
      return
    }
    if (before?.entry !== undefined && before.entry.key !== made.entry.key) renamed.add(before.entry.key)
    this.known.set(path, { place, read, id, entry: made.entry, problem: undefined })
  }

  /** Notes by what others refer to it. */
  #name(path: string, parsed: ParsedFile, renamed: Set<string>): string | undefined {
    const before = this.known.get(path)
    const keyBefore = before?.id === undefined ? undefined : this.ids.get(before.id)
    const id = this.#ids.add(parsed)
    if (before?.id !== undefined && before.id !== id && this.ids.get(before.id) === before.entry?.key)
      this.#ids.delete(before.id)
    if (keyBefore !== undefined && (id === undefined || this.ids.get(id) !== keyBefore)) renamed.add(keyBefore)
    return id
  }

  /** Or the code of why not. */
  #bytes(path: string): Uint8Array | string {
    let file: number | undefined
    try {
      file = openSync(join(this.#options.root, path), READ)
      return fstatSync(file).size > FILE_BYTES_MAX ? TOO_LARGE : readFileSync(file)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unknown'
    } finally {
      if (file !== undefined) closeSync(file)
    }
  }
}

function unreadable(file: string, code: string): Problem {
  return { severity: 'error', code: 'FILE_UNREADABLE', file, message: `the file cannot be read (${code})` }
}

function tooLarge(file: string): Problem {
  const message = `the file is larger than ${FILE_BYTES_MAX / 1024 / 1024} MiB; it is not read, and in no release`
  const hint = 'Make it smaller, or move it to where the data lies and distribute it as that.'
  return { severity: 'error', code: 'FILE_TOO_LARGE', file, message, hint }
}

function rankOf(kind: string | undefined): number {
  return RANKS.get(kind ?? '') ?? LAST
}
