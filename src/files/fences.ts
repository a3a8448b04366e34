import { readFile } from 'node:fs/promises'
import { type Fence, fencedName, parseFence, staleFence } from '../core/coordination/fences.ts'
import type { Op } from '../core/op.ts'
import { writeAtomic } from '../lib/atomic-file.ts'
import { Bell } from '../lib/bell.ts'
import { KeyLocks } from '../lib/key-locks.ts'

/**
 * Asks who knows it whether the claim of a fence holds; rejects with `STALE_FENCE` where it does not. Answers whether nobody
 * else can hold at the same time.
 */
export type FenceCheck = (fence: Fence, op: Op) => Promise<{ readonly isExclusive: boolean }>

interface Named {
  greatest: number
  /** Resolves when the greatest is on the disk; undefined where it is still to be brought there. */
  saved: Promise<void> | undefined
  /** The revision under which something is being written, and how many are at it. */
  active: { readonly revision: number; count: number } | undefined
}

const NAMES_MAX = 10_000

/**
 * The fences that files are written under. No write under a fence takes its place after one under a later fence of the same
 * name: the greatest that was ever seen is kept on the disk, and a later one waits until what is under way has its place.
 */
export class FileFences {
  readonly #file: string
  readonly #check: FenceCheck | undefined
  readonly #names: Map<string, Named>
  readonly #ended = new Bell()
  readonly #saving = new KeyLocks()

  private constructor(file: string, greatest: Readonly<Record<string, number>>, check: FenceCheck | undefined) {
    this.#file = file
    this.#check = check
    this.#names = new Map(
      Object.entries(greatest).map(([name, seen]) => [
        name,
        { greatest: seen, saved: Promise.resolve(), active: undefined },
      ]),
    )
  }

  /** With what was seen before. Without a check, a fence is good until a later one comes: so for claims of one seat only. */
  static async open(file: string, check?: FenceCheck): Promise<FileFences> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}'
      throw error
    })
    return new FileFences(file, JSON.parse(text) as Record<string, number>, check)
  }

  /** Before a file takes its place: answers what is to be called when it has. Rejects with `STALE_FENCE`, `BAD_REQUEST`. */
  async enter(text: string, op: Op): Promise<() => void> {
    const fence = parseFence(text)
    const { isExclusive = true } = (await this.#check?.(fence, op)) ?? {}
    if (!isExclusive) return () => undefined
    const named = this.#named(fencedName(fence))
    if (fence.revision < named.greatest) throw staleFence(fence)
    if (fence.revision > named.greatest) {
      named.greatest = fence.revision
      named.saved = undefined
    }
    await this.#keep(named)
    while (named.active !== undefined && named.active.revision < fence.revision) await this.#ended.rung(op)
    if (fence.revision < named.greatest) throw staleFence(fence)
    const active = named.active ?? { revision: fence.revision, count: 0 }
    active.count += 1
    named.active = active
    return () => {
      active.count -= 1
      if (active.count > 0) return
      named.active = undefined
      this.#ended.ring()
    }
  }

  #named(name: string): Named {
    const found = this.#names.get(name) ?? { greatest: 0, saved: Promise.resolve(), active: undefined }
    // The name that was used last is forgotten last.
    this.#names.delete(name)
    this.#names.set(name, found)
    const [oldest] = this.#names
    if (this.#names.size > NAMES_MAX && oldest !== undefined && oldest[1].active === undefined)
      this.#names.delete(oldest[0])
    return found
  }

  /** The greatest is on the disk then. Where that fails, such as when it is full, the next that comes tries again. */
  async #keep(named: Named): Promise<void> {
    const saved = (named.saved ??= this.#save())
    try {
      await saved
    } catch (error) {
      if (named.saved === saved) named.saved = undefined
      throw error
    }
  }

  /** One after another: the last to be written has all that was seen. */
  #save(): Promise<void> {
    return this.#saving.with('file', async () => {
      const seen = [...this.#names].map(([name, { greatest }]) => [name, greatest] as const)
      await writeAtomic(this.#file, JSON.stringify(Object.fromEntries(seen)), { mode: 0o600 })
    })
  }
}
