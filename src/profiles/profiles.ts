import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Json } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Edit } from '../core/profile/edit.ts'
import { type Known, PROFILE_LIMITS, type Profile } from '../core/profile/profile.ts'
import type { Store, Txn, Write } from '../core/store.ts'
import { KeyLocks } from '../lib/key-locks.ts'
import type { FirstAnswers, Once } from '../lib/once.ts'
import { checkAgainst, definitionsOf } from './definitions.ts'
import type { Author } from './history.ts'
import type { Schemas } from './schemas.ts'
import { Work } from './work.ts'

export interface ProfilesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly answers: FirstAnswers
  readonly schemas: Schemas
}

/** Who changes profiles. */
export interface How extends Op {
  readonly by: Author
  /** The same request again is told the first answer, and changes nothing. */
  readonly once?: Once | undefined
  readonly beside?: Beside | undefined
}

/** Other keys of the store that are changed in the very commit of the profiles. */
export interface Beside {
  /** Before the edits are asked, each time that they are. */
  read(op: Op): Promise<void>
  /** After they were asked. */
  txn(): Promise<Txn>
}

/** What became of one edit. */
export interface Change {
  readonly profile: string
  /** Of the profile now; 0 when it is gone. */
  readonly version: number
  readonly revision: number
  /** False where everything was so already: nothing was written. */
  readonly changed: boolean
  readonly value?: Json | undefined
}

export interface Changed {
  /** One for each edit, in their order. */
  readonly changes: readonly Change[]
  /** Before and after all of them, by name; empty where it is the first answer once more. */
  readonly before: ReadonlyMap<string, Profile | undefined>
  readonly after: ReadonlyMap<string, Profile | undefined>
}

/** A hub that always finds another one faster gives up; each time, that other one was done. */
const TRIES = 100
/** Fewer than any store takes in one commit. */
const CLEARED_AT_ONCE = 100

/**
 * Shared state over a store: profiles that are read, changed and written as one commit, all or nothing.
 *
 * Whoever changes a profile takes a place in its line, and is served in turn: of any number of contenders each needs one
 * call. Where another hub of the store is faster, the edits are asked again, on what is there then: they decide whether
 * they still hold. Every change has a version, with its author, in the history.
 */
export class Profiles {
  readonly #deps: ProfilesDeps
  readonly #lines = new KeyLocks()

  constructor(deps: ProfilesDeps) {
    this.#deps = deps
  }

  async get(name: string, op: Op = {}): Promise<Known | undefined> {
    const entry = await this.#deps.store.get(keys.profile(name), op)
    return entry && { profile: JSON.parse(entry.value) as Profile, revision: entry.revision }
  }

  /** Sorted by name. */
  async list(op: Op = {}): Promise<readonly Known[]> {
    const { entries } = await this.#deps.store.list(keys.profiles, op)
    return entries.map(({ value, revision }) => ({ profile: JSON.parse(value) as Profile, revision }))
  }

  /**
   * Makes all edits, in their order, as one commit, or none. An edit of a profile sees what those before it made of it.
   * Rejects with what an edit throws, with `INVALID_VALUE` where a param does not match its schema, and with
   * `KEY_REUSED` and `TOO_LARGE`; nothing was changed then.
   */
  async change(edits: readonly Edit[], how: How): Promise<Changed> {
    if (edits.length > PROFILE_LIMITS.operations) {
      throw new FlotillaError('TOO_LARGE', `${edits.length} operations at once; at most ${PROFILE_LIMITS.operations}`)
    }
    return this.#lines.withAll(
      edits.map(({ profile }) => profile),
      () => this.#change(edits, how),
    )
  }

  async #change(edits: readonly Edit[], how: How): Promise<Changed> {
    for (let tries = 0; tries < TRIES; tries++) {
      how.signal?.throwIfAborted()
      const first = how.once && (await this.#deps.answers.find(how.once, how))
      if (first !== undefined) return replayed(first.answer as readonly Change[], first.revision)
      const done = await this.#attempt(edits, how)
      if (done !== undefined) return done
    }
    throw new FlotillaError('LOST_RACE', 'other hubs changed it all the time', { hint: 'Try again in a moment.' })
  }

  /** Undefined when somebody else was faster. */
  async #attempt(edits: readonly Edit[], how: How): Promise<Changed | undefined> {
    const { store, clock, answers, schemas } = this.#deps
    await how.beside?.read(how)
    const work = await Work.begin(store, edits, how)
    const results = edits.map((edit) => work.apply(edit))
    for (const name of work.names) {
      const changed = work.changedParams(name)
      if (changed.size > 0) await checkAgainst(await definitionsOf(store, [...changed.keys()], how), changed, schemas)
    }
    const beside = await how.beside?.txn()
    const own = work.names.flatMap((name) => work.writes(name, how.by, clock.nowMs()))
    const writes = [...own, ...(beside?.changes ?? [])]
    const changes = edits.map((edit, index) => work.changeOf(edit, results[index]))
    if (writes.length === 0 && how.once === undefined) return work.changed(changes)
    const expect = [...work.expectations(), ...(beside?.expect ?? [])]
    const commit = await answers.commit({ expect, changes: writes }, how.once, changes, how)
    if (!commit.committed) return undefined
    await this.#clearUp(work.outlived(), how)
    return work.changed(changes.map((change) => withRevision(change, commit.revision)))
  }

  /**
   * Not within the deletion itself: with many profiles that would be more than a commit takes. What is left when it breaks off goes
   * as versions of a profile of that name go on, and is never more than a profile has.
   */
  async #clearUp(writes: readonly Write[], op: Op): Promise<void> {
    try {
      for (let at = 0; at < writes.length; at += CLEARED_AT_ONCE) {
        await this.#deps.store.commit({ changes: writes.slice(at, at + CLEARED_AT_ONCE) }, op)
      }
    } catch {
      // It was deleted all the same.
    }
  }
}

function replayed(changes: readonly Change[], revision: number): Changed {
  return { changes: changes.map((change) => withRevision(change, revision)), before: new Map(), after: new Map() }
}

function withRevision(change: Change, revision: number): Change {
  return change.changed ? { ...change, revision } : change
}
