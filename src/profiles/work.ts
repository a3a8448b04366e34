import { FlotillaError } from '../core/errors.ts'
import { isSame, type Json } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Edit } from '../core/profile/edit.ts'
import {
  defaultOf,
  type Definition,
  documentOf,
  fieldsOf,
  type Known,
  PROFILE_LIMITS,
  type Profile,
} from '../core/profile/profile.ts'
import type { Expectation, Store, Write } from '../core/store.ts'
import { definitionsOf } from './definitions.ts'
import { type Author, logged } from './history.ts'
import type { Change, Changed } from './profiles.ts'

/** The profiles that a transaction is about, before and after. */
export class Work {
  readonly names: readonly string[]
  readonly #before: ReadonlyMap<string, Known | undefined>
  readonly #after: Map<string, Known | undefined>
  readonly #versions: ReadonlyMap<string, number>
  readonly #defaults: ReadonlyMap<string, Json>
  readonly #ops = new Map<string, string[]>()

  private constructor(
    before: ReadonlyMap<string, Known | undefined>,
    versions: ReadonlyMap<string, number>,
    defaults: ReadonlyMap<string, Json>,
  ) {
    this.names = [...before.keys()]
    this.#before = before
    this.#after = new Map(before)
    this.#versions = versions
    this.#defaults = defaults
  }

  static async begin(store: Store, edits: readonly Edit[], op: Op): Promise<Work> {
    const names = [...new Set(edits.map(({ profile }) => profile))]
    const before = new Map<string, Known | undefined>()
    const versions = new Map<string, number>()
    for (const name of names) {
      const entry = await store.get(keys.profile(name), op)
      const profile = entry && (JSON.parse(entry.value) as Profile)
      before.set(name, entry && profile && { profile, revision: entry.revision })
      versions.set(name, profile?.version ?? (await lastVersion(store, name, op)))
    }
    const wanted = [...new Set(edits.flatMap(({ defaultsOf = [] }) => defaultsOf))]
    const definitions = wanted.length === 0 ? [] : await definitionsOf(store, wanted, op)
    return new Work(before, versions, defaultsOf(definitions))
  }

  apply(edit: Edit): Json | undefined {
    const { profile: name, op } = edit
    const current = this.#after.get(name)
    const { fields, value } = edit.apply(current, this.#defaults)
    if (fields === undefined) this.#after.set(name, undefined)
    else if (current === undefined || !isSame(documentOf(fields), documentOf(current.profile))) {
      const version = (this.#versions.get(name) ?? 0) + 1
      this.#after.set(name, { profile: { ...fieldsOf(fields), version }, revision: current?.revision ?? 0 })
    }
    const ops = this.#ops.get(name) ?? []
    this.#ops.set(name, [...ops, op])
    return value
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
    return this.names.map((name) => ({ key: keys.profile(name), revision: this.#before.get(name)?.revision ?? 0 }))
  }

  writes(name: string, by: Author, atMs: number): readonly Write[] {
    const before = this.#before.get(name)?.profile
    const after = this.#after.get(name)?.profile
    if (!this.#isChanged(name)) return []
    const version = (this.#versions.get(name) ?? 0) + 1
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

/** Of a profile that is not there: the one that its history ends with. */
async function lastVersion(store: Store, name: string, op: Op): Promise<number> {
  const { entries } = await store.list(keys.profileChanges(name), op)
  const last = entries.at(-1)
  return last === undefined ? 0 : Number(last.key.slice(keys.profileChanges(name).length))
}

function defaultsOf(definitions: readonly Definition[]): ReadonlyMap<string, Json> {
  return new Map(
    definitions.flatMap((definition) => {
      const value = defaultOf(definition)
      return value === undefined ? [] : [[definition.name, value] as const]
    }),
  )
}
