import { FlotillaError } from '../core/errors.ts'
import { isSame, type Json } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Edit } from '../core/profile/edit.ts'
import {
  defaultOf,
  type Definition,
  documentOf,
  type Fields,
  fieldsOf,
  type Known,
  PROFILE_LIMITS,
  type Profile,
} from '../core/profile/profile.ts'
import type { Expectation, Store, Write } from '../core/store.ts'
import { definitionsOf } from './definitions.ts'
import { type Author, logged, outlived } from './history.ts'
import type { Change, Changed } from './profiles.ts'

/** The profiles that a transaction is about, before and after. */
export class Work {
  readonly names: readonly string[]
  readonly #before: ReadonlyMap<string, Known | undefined>
  readonly #after: Map<string, Known | undefined>
  readonly #lasts: ReadonlyMap<string, Last>
  readonly #defaults: ReadonlyMap<string, Json>
  readonly #ops = new Map<string, string[]>()

  private constructor(
    before: ReadonlyMap<string, Known | undefined>,
    lasts: ReadonlyMap<string, Last>,
    defaults: ReadonlyMap<string, Json>,
  ) {
    this.names = [...before.keys()]
    this.#before = before
    this.#after = new Map(before)
    this.#lasts = lasts
    this.#defaults = defaults
  }

  static async begin(store: Store, edits: readonly Edit[], op: Op): Promise<Work> {
    const names = [...new Set(edits.map(({ profile }) => profile))]
    const before = new Map<string, Known | undefined>()
    const lasts = new Map<string, Last>()
    for (const name of names) {
      const entry = await store.get(keys.profile(name), op)
      const profile = entry && (JSON.parse(entry.value) as Profile)
      before.set(name, entry && profile && { profile, revision: entry.revision })
      lasts.set(name, profile === undefined ? await lastOf(store, name, op) : { version: profile.version })
    }
    const wanted = [...new Set(edits.flatMap(({ defaultsOf = [] }) => defaultsOf))]
    const definitions = wanted.length === 0 ? [] : await definitionsOf(store, wanted, op)
    return new Work(before, lasts, defaultsOf(definitions))
  }

  apply(edit: Edit): Json | undefined {
    const { profile: name, op } = edit
    const current = this.#after.get(name)
    const { fields, value } = edit.apply(current, this.#defaults)
    if (fields === undefined) this.#after.set(name, undefined)
    else this.#after.set(name, this.#madeOf(name, fields))
    const ops = this.#ops.get(name) ?? []
    this.#ops.set(name, [...ops, op])
    return value
  }

  /** What several edits make of a profile together may be what it was: that is no new version. */
  #madeOf(name: string, fields: Fields): Known {
    const before = this.#before.get(name)
    if (before !== undefined && isSame(documentOf(fields), documentOf(before.profile))) return before
    const version = (this.#lasts.get(name)?.version ?? 0) + 1
    return { profile: { ...fieldsOf(fields), version }, revision: before?.revision ?? 0 }
  }

  /** New values by param. */
  changedParams(name: string): ReadonlyMap<string, Json> {
    const before = this.#before.get(name)?.profile.params ?? {}
    const after = this.#after.get(name)?.profile.params ?? {}
    return new Map(
      Object.entries(after).filter(
        ([key, value]) => !Object.hasOwn(before, key) || !isSame(before[key] as Json, value),
      ),
    )
  }

  expectations(): readonly Expectation[] {
    return this.names.flatMap((name) => {
      const profile = { key: keys.profile(name), revision: this.#before.get(name)?.revision ?? 0 }
      const record = this.#lasts.get(name)?.record
      return record === undefined ? [profile] : [profile, record]
    })
  }

  writes(name: string, by: Author, atMs: number): readonly Write[] {
    const before = this.#before.get(name)?.profile
    const after = this.#after.get(name)?.profile
    if (!this.#isChanged(name)) return []
    const version = (this.#lasts.get(name)?.version ?? 0) + 1
    const log = logged({ name, version, before, after, by, atMs, op: (this.#ops.get(name) ?? []).join(' ') })
    if (after === undefined) return [{ op: 'delete', key: keys.profile(name) }, ...log]
    const value = JSON.stringify(after)
    const bytes = Buffer.byteLength(value)
    if (bytes > PROFILE_LIMITS.bytes) {
      throw new FlotillaError('TOO_LARGE', `the profile ${name} would have ${bytes} bytes`, {
        hint: `A profile has at most ${PROFILE_LIMITS.bytes}: keep files elsewhere, and their names here.`,
      })
    }
    return [{ op: 'put', key: keys.profile(name), value }, ...log]
  }

  /** What may go when the profiles that end here have ended. */
  outlived(): readonly Write[] {
    const ended = this.names.filter((name) => this.#isChanged(name) && this.#after.get(name) === undefined)
    return ended.flatMap((name) => outlived(name, (this.#lasts.get(name)?.version ?? 0) + 1))
  }

  /** The revision is that of the commit to come, 0, where the profile is changed. */
  changeOf({ profile }: Edit, value: Json | undefined): Change {
    const changed = this.#isChanged(profile)
    const now = this.#after.get(profile)
    const revision = changed ? 0 : (now?.revision ?? 0)
    return { profile, version: now?.profile.version ?? 0, revision, changed, ...(value !== undefined && { value }) }
  }

  changed(changes: readonly Change[]): Changed {
    return { changes, before: profilesOf(this.#before), after: profilesOf(this.#after) }
  }

  #isChanged(name: string): boolean {
    const before = this.#before.get(name)?.profile
    const after = this.#after.get(name)?.profile
    if (before === undefined || after === undefined) return before !== after
    return !isSame(documentOf(before), documentOf(after))
  }
}

function profilesOf(of: ReadonlyMap<string, Known | undefined>): ReadonlyMap<string, Profile | undefined> {
  return new Map([...of].map(([name, known]) => [name, known?.profile]))
}

interface Last {
  readonly version: number
  /** Of a profile that is gone: what its history ends with. Where that is another, it was there again in between. */
  readonly record?: Expectation | undefined
}

/** Of a profile that is not there: what its history ends with. */
async function lastOf(store: Store, name: string, op: Op): Promise<Last> {
  const { entries } = await store.list(keys.profileChanges(name), op)
  const last = entries.at(-1)
  if (last === undefined) return { version: 0 }
  const { key, revision } = last
  return { version: Number(key.slice(keys.profileChanges(name).length)), record: { key, revision } }
}

function defaultsOf(definitions: readonly Definition[]): ReadonlyMap<string, Json> {
  return new Map(
    definitions.flatMap((definition) => {
      const value = defaultOf(definition)
      return value === undefined ? [] : [[definition.name, value] as const]
    }),
  )
}
