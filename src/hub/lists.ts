import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import {
  type Left,
  type ListAnswer,
  type ListChange,
  type ListChangeAnswer,
  type ListEntry,
  type ListName,
} from '../core/lists.ts'
import { coveredBy } from '../core/lists/covers.ts'
import { erddapList, LIST_LIMITS, listValue } from '../core/lists/erddap.ts'
import type { Op } from '../core/op.ts'
import type { Store } from '../core/store.ts'

interface ListsDeps {
  readonly store: Store
  readonly clock: Clock
}

interface Which {
  readonly tree: string
  readonly list: ListName
}

/** Values in one change. */
export const LIST_CHANGE_MAX = 500

/** The list as it is, sorted. */
export async function readList({ store }: ListsDeps, { tree, list }: Which, op: Op = {}): Promise<ListAnswer> {
  const { entries, revision } = await store.list(keys.list(tree, list, ''), op)
  const known = entries.map(({ value }) => JSON.parse(value) as ListEntry)
  const sorted = known.toSorted((a, b) => (a.value < b.value ? -1 : 1))
  return { tree, list, entries: sorted, left: leftOf(list, sorted), revision }
}

/**
 * Puts values on a list, takes others off it. What is so already stays untouched: a change that changes nothing makes no
 * revision. Rejects with `BAD_REQUEST` for what is no value of the list, and with `TOO_LARGE`; nothing was changed then.
 */
export async function changeList(
  deps: ListsDeps,
  which: Which,
  change: ListChange,
  author: string,
  op: Op = {},
): Promise<ListChangeAnswer> {
  const { tree, list } = which
  const add = valuesOf(list, change.add)
  const remove = valuesOf(list, change.remove)
  checkChange(add, remove)
  const before = await readList(deps, which, op)
  const there = new Set(before.entries.map(({ value }) => value))
  const added = add.filter((value) => !there.has(value))
  const removed = remove.filter((value) => there.has(value))
  if (there.size + added.length - removed.length > LIST_LIMITS.total) {
    throw new FlotillaError('TOO_LARGE', `${list} would have more than ${LIST_LIMITS.total} values`, {
      hint: 'Block networks instead of their addresses: 192.0.2.0/24.',
    })
  }
  const atMs = deps.clock.nowMs()
  const entryOf = (value: string): ListEntry => ({ value, author, atMs })
  const changes = [
    ...added.map((value): ChangeOf => ({ op: 'put', key: keyOf(which, value), value: JSON.stringify(entryOf(value)) })),
    ...removed.map((value): ChangeOf => ({ op: 'delete', key: keyOf(which, value) })),
  ]
  const revision = changes.length === 0 ? before.revision : await commit(deps.store, changes, op)
  const gone = new Set(removed)
  const after = [...before.entries.filter(({ value }) => !gone.has(value)), ...added.map((value) => entryOf(value))]
  return {
    tree,
    list,
    revision,
    added,
    removed,
    unchanged: [...add.filter((value) => there.has(value)), ...remove.filter((value) => !there.has(value))],
    covered: coveredBy(
      list,
      remove,
      after.map(({ value }) => value),
    ),
    left: leftOf(list, after),
  }
}

type ChangeOf = Parameters<Store['commit']>[0]['changes'][number]

function keyOf({ tree, list }: Which, value: string): string {
  return keys.list(tree, list, encodeURIComponent(value))
}

function valuesOf(list: ListName, texts: readonly string[] = []): readonly string[] {
  return [...new Set(texts.map((text) => listValue(list, text)))]
}

function checkChange(add: readonly string[], remove: readonly string[]): void {
  const count = add.length + remove.length
  if (count === 0) throw new FlotillaError('BAD_REQUEST', 'there is nothing to add or to remove')
  if (count > LIST_CHANGE_MAX) {
    throw new FlotillaError('TOO_LARGE', `${count} values at once; at most ${LIST_CHANGE_MAX}`)
  }
  const both = add.find((value) => remove.includes(value))
  if (both !== undefined) throw new FlotillaError('BAD_REQUEST', `${both} is to be added and removed at once`)
}

async function commit(store: Store, changes: readonly ChangeOf[], op: Op): Promise<number> {
  const answer = await store.commit({ changes }, op)
  if (!answer.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return answer.revision
}

function leftOf(list: ListName, entries: readonly ListEntry[]): readonly Left[] {
  return erddapList(
    list,
    entries.map(({ value }) => value),
  ).left
}
