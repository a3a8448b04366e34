import { hash } from 'node:crypto'
import { constants } from 'node:fs'
import { folderOf } from '../../core/files/entry.ts'
import type { GivenFile, PutResult } from '../../core/files/tree-files.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import { type FileCalls, setModified } from '../../lib/file-calls.ts'
import { forEachLimited } from '../../lib/limited.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { digestsOf } from './digests.ts'
import { explained } from './faults.ts'
import type { Placing, ReadyFile, Tree } from './placing.ts'
import { factsOf, type Received, verify } from './receive.ts'
import { temporaryPutName } from './temporaries.ts'

/** Of one folder at once, and so many such groups: all of them are open, of the thousand files that a process may have. */
const GROUP_MAX = 64
const GROUPS_AT_ONCE = 4

type Settled = PromiseSettledResult<PutResult>

interface Verified extends GivenFile {
  readonly path: string
  readonly facts: FileFacts
  readonly at: number
}

/** As `PutTogether.putAll`, for files that are written in one go. */
export async function putAll(
  tree: Tree,
  placing: Placing,
  files: readonly GivenFile[],
  { signal }: Op,
): Promise<readonly Settled[]> {
  const settled: Settled[] = []
  const fails = (at: number, error: unknown): void => {
    settled[at] = { status: 'rejected', reason: explained(error, files[at]?.key ?? '') }
  }
  const verified: Verified[] = []
  files.forEach((file, at) => {
    try {
      verified.push({ ...file, path: keyPath(file.key), facts: factsOf(received(file), file.options), at })
    } catch (error) {
      fails(at, error)
    }
  })
  await forEachLimited(groupsOf(verified), GROUPS_AT_ONCE, async (group) => {
    try {
      signal?.throwIfAborted()
      const results = await placing.inFolder(group[0]?.path ?? '', async (folder) =>
        new Group(tree, placing, folder, { signal }).put(group),
      )
      if (results.every(isNotPlaced)) await placing.removeUnused(group[0]?.path ?? '')
      results.forEach((result, index) => {
        const { at } = group[index] as Verified
        if (result.status === 'rejected') fails(at, result.reason)
        else settled[at] = result
      })
    } catch (error) {
      for (const { at } of group) fails(at, error)
    }
  })
  return settled
}

function* groupsOf(files: readonly Verified[]): Generator<readonly Verified[], void> {
  for (const within of Map.groupBy(files, ({ path }) => folderOf(path)).values()) {
    for (let start = 0; start < within.length; start += GROUP_MAX) yield within.slice(start, start + GROUP_MAX)
  }
}

function received({ key, bytes, options }: GivenFile): Received {
  const { md5, sha256 } = digestsOf(options)
  const received = {
    size: bytes.byteLength,
    md5: md5 ? hash('md5', bytes) : undefined,
    sha256: sha256 ? hash('sha256', bytes) : undefined,
  }
  verify(key, received, options)
  return received
}

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Files of one folder on their way to their places. */
class Group {
  readonly #placing: Placing
  readonly #calls: FileCalls
  readonly #folder: string
  readonly #op: Op

  constructor({ calls }: Tree, placing: Placing, folder: string, op: Op) {
    this.#placing = placing
    this.#calls = calls
    this.#folder = folder
    this.#op = op
  }

  /** Rejects where none could be written: then the folder need not be. */
  async put(files: readonly Verified[]): Promise<readonly Settled[]> {
    const written = await Promise.allSettled(files.map(async (file) => this.#written(file)))
    const ready = written.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const placed = new Map<ReadyFile, Settled>()
    try {
      if (ready.length === 0) throw (written[0] as PromiseRejectedResult).reason
      const results = await this.#placing.putAll(ready)
      ready.forEach((file, index) => placed.set(file, results[index] as Settled))
    } finally {
      for (const file of ready) await this.#end(file, placed.get(file))
    }
    return written.map((one) => (one.status === 'rejected' ? one : (placed.get(one.value) as Settled)))
  }

  /** Durable, under a temporary name. */
  async #written({ key, path, bytes, facts, options }: Verified): Promise<ReadyFile> {
    const calls = this.#calls
    const temporary = `${this.#folder}/${temporaryPutName()}`
    const descriptor = await calls.open(temporary, NEW_FILE, 0o644)
    const file = { key, path, temporary, descriptor, facts, options: { ...options, ...this.#op } }
    try {
      for (let at = 0; at < bytes.byteLength;) at += await calls.write(descriptor, bytes.subarray(at), at)
      if (options.modifiedMs !== undefined) await setModified(descriptor, options.modifiedMs, calls)
      await calls.sync(descriptor)
      return file
    } catch (error) {
      await this.#end(file, undefined)
      throw error
    }
  }

  async #end({ temporary, descriptor }: ReadyFile, settled: Settled | undefined): Promise<void> {
    await this.#calls.close(descriptor)
    if (settled === undefined || isNotPlaced(settled)) await removed(temporary, this.#calls)
  }
}

function isNotPlaced(settled: Settled): boolean {
  return settled.status === 'rejected' || settled.value === 'failed-condition'
}

/** Whatever became of it. */
export async function removed(path: string, calls: FileCalls): Promise<void> {
  try {
    await calls.unlink(path)
  } catch {
    // It has its place, or somebody else took it away.
  }
}
