import { FlotillaError } from '../core/errors.ts'
import { diff } from '../core/json-patch/diff.ts'
import type { Json } from '../core/json-patch/json.ts'
import { applyPatch, type PatchLimits, type PatchOp } from '../core/json-patch/patch.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { checkFields, documentOf, PROFILE_LIMITS, type Profile } from '../core/profile/profile.ts'
import type { Store, Write } from '../core/store.ts'

/** Who made a change: the id of the token and what it is called. */
export interface Author {
  readonly id: string
  readonly label: string
}

/** Value of `profile-log/<profile>/<version>`: one change. */
export interface ProfileChangeRecord {
  readonly version: number
  readonly atMs: number
  readonly by: Author
  /** What was asked for: `set`, `patch`, …; several of one transaction with a space between. */
  readonly op: string
  /** From the version before to this one; null stands for no profile. */
  readonly patch: readonly PatchOp[]
  /** And back again. */
  readonly undo: readonly PatchOp[]
  /** It ended the profile. */
  readonly deleted?: true | undefined
}

interface Logged {
  readonly name: string
  readonly version: number
  readonly before: Profile | undefined
  readonly after: Profile | undefined
  readonly by: Author
  readonly atMs: number
  readonly op: string
}

/** What a change writes into the history: itself, and away with what is too old. */
export function logged({ name, version, before, after, by, atMs, op }: Logged): readonly Write[] {
  const from = before === undefined ? null : documentOf(before)
  const to = after === undefined ? null : documentOf(after)
  const record: ProfileChangeRecord = {
    version,
    atMs,
    by: { id: by.id, label: by.label },
    op,
    patch: diff(from, to),
    undo: diff(to, from),
    ...(after === undefined && { deleted: true }),
  }
  const put: Write = { op: 'put', key: keys.profileChange(name, version), value: JSON.stringify(record) }
  const oldest = version - PROFILE_LIMITS.history
  return oldest > 0 ? [put, { op: 'delete', key: keys.profileChange(name, oldest) }] : [put]
}

/** Of a profile that was deleted as `version`, only that remains: its last state can be shown from it. */
export function outlived(name: string, version: number): readonly Write[] {
  const first = Math.max(1, version - PROFILE_LIMITS.history + 1)
  return Array.from({ length: version - first }, (_, index): Write => {
    return { op: 'delete', key: keys.profileChange(name, first + index) }
  })
}

/** Newest first. Throws `NOT_FOUND` for a name that there is nothing under. */
export async function readHistory(store: Store, name: string, op: Op = {}): Promise<readonly ProfileChangeRecord[]> {
  const { entries } = await store.list(keys.profileChanges(name), op)
  if (entries.length === 0) throw new FlotillaError('NOT_FOUND', `there is no profile ${name}`)
  return entries.map(({ value }) => JSON.parse(value) as ProfileChangeRecord).toReversed()
}

/** The profile as that version was. Throws `NOT_FOUND` for one that is too old, not there yet, or none. */
export async function profileAt(store: Store, name: string, version: number, op: Op = {}): Promise<Profile> {
  // The history first: a change that comes in between is then undone as well, or is after all that is undone.
  const entry = await store.get(keys.profile(name), op)
  const current = entry && (JSON.parse(entry.value) as Profile)
  const records = (await readHistory(store, name, op)).filter(
    (one) => current === undefined || one.version <= current.version,
  )
  let document: Json = current === undefined ? null : documentOf(current)
  let at = records[0]?.version ?? 0
  for (const record of records) {
    if (record.version !== at || at <= version) break
    document = back(document, record)
    at -= 1
  }
  if (at !== version || document === null) {
    const oldest = records.at(-1)?.version ?? 0
    throw new FlotillaError('NOT_FOUND', `version ${version} of ${name} is not held`, {
      hint: `The history of ${name} goes from ${Math.max(oldest - 1, 1)} to ${records[0]?.version ?? 0}.`,
    })
  }
  return { ...checkFields(name, document), version }
}

/** What we wrote ourselves may be as long as it is. */
const OURS: PatchLimits = { ops: Infinity, depth: PROFILE_LIMITS.depth + 4, steps: Infinity }

function back(document: Json, { undo, version }: ProfileChangeRecord): Json {
  const outcome = applyPatch(document, undo, OURS)
  if (outcome.ok) return outcome.document
  throw new FlotillaError('CORRUPT', `the history before version ${version} does not fit what came after it`)
}
