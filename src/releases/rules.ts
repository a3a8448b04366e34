import type { FileChange } from '../core/api.ts'
import type { ItemChange, ItemEffect, Manifest, Tombstone, TreeFile, TreeItem } from '../core/tree.ts'

/** The decisions about a release that need nothing but its contents and those before it. */

/** A removed item is remembered for so many further releases, so that a node that was away unloads it too. */
const REMEMBERED_RELEASES = 10

/** What the tombstones of release `number` are. `before` are the items that any node may serve. */
export function tombstones(
  head: Manifest,
  before: readonly Pick<TreeItem, 'id' | 'type'>[],
  after: readonly TreeItem[],
  number: number,
): Readonly<Record<string, Tombstone>> {
  const present = new Set(after.map(({ id }) => id))
  const inherited = Object.entries(head.removed).filter(([, { release }]) => number - release <= REMEMBERED_RELEASES)
  const fresh = before.map(({ id, type }): [string, Tombstone] => [id, { type, release: number }])
  return Object.fromEntries([...inherited, ...fresh].filter(([id]) => !present.has(id)))
}

/** Overrides outlive the removal of their item as long as its tombstone: one that comes back stays switched off. */
export function overridesOf(
  active: Readonly<Record<string, boolean>>,
  items: readonly TreeItem[],
  removed: Readonly<Record<string, Tombstone>>,
): Readonly<Record<string, boolean>> {
  const present = new Set(items.map(({ id }) => id))
  return Object.fromEntries(Object.entries(active).filter(([id]) => present.has(id) || Object.hasOwn(removed, id)))
}

/** Items that are served before and would not be after: removed, or switched off. */
export function lostItems(before: readonly TreeItem[], after: readonly TreeItem[]): readonly string[] {
  const now = new Map(after.map((item) => [item.id, item]))
  return before
    .filter((item) => {
      const next = now.get(item.id)
      return next === undefined || (item.active && !next.active)
    })
    .map(({ id }) => id)
}

/**
 * Whether losing `lost` of `before` items needs a confirmation: more than one and more than the share, or all there are.
 * A single item may go, and a single one may be replaced.
 */
export function needsConfirmation(lost: number, before: number, after: number, share: number): boolean {
  if (lost === 0) return false
  return lost === before ? before > 1 || after === 0 : lost > 1 && lost > share * before
}

/**
 * What a comparison of definitions becomes once overrides are applied: an item that is served only before, or only
 * after, is removed or added, whatever its definition says, and one whose override hides a switch is not.
 */
export function withOverrides(
  compared: readonly ItemChange[],
  before: readonly TreeItem[],
  after: readonly TreeItem[],
): readonly ItemChange[] {
  const was = new Map(before.map(({ id, active }) => [id, active]))
  const now = new Map(after.map(({ id, active }) => [id, active]))
  const changes = compared.map((change) => {
    if (!was.has(change.id) || !now.has(change.id)) return change
    const switched = effectOf(was.get(change.id), now.get(change.id))
    const hidden = change.effect === 'added' || change.effect === 'removed' ? 'soft' : change.effect
    return Object.assign({}, change, { effect: switched ?? hidden })
  })
  const known = new Set(compared.map(({ id }) => id))
  for (const { id, path, active } of after) {
    const effect = was.has(id) && !known.has(id) ? effectOf(was.get(id), active) : undefined
    if (effect !== undefined) changes.push({ id, effect, path, details: ['active'] })
  }
  return changes
}

function effectOf(before: boolean | undefined, after: boolean | undefined): ItemEffect | undefined {
  if (before === after) return undefined
  return after === true ? 'added' : 'removed'
}

export function countChanges(changes: readonly ItemChange[]): { added: number; removed: number; changed: number } {
  const added = changes.filter(({ effect }) => effect === 'added').length
  const removed = changes.filter(({ effect }) => effect === 'removed').length
  return { added, removed, changed: changes.length - added - removed }
}

/** How the files differ, sorted by path. */
export function compareFiles(from: readonly TreeFile[], to: readonly TreeFile[]): readonly FileChange[] {
  const before = new Map(from.map(({ path, sha256 }) => [path, sha256]))
  const changes: FileChange[] = []
  for (const { path, sha256 } of to) {
    const was = before.get(path)
    before.delete(path)
    if (was === undefined) changes.push({ path, change: 'added' })
    else if (was !== sha256) changes.push({ path, change: 'changed' })
  }
  for (const path of before.keys()) changes.push({ path, change: 'removed' })
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

export function isSameContent(a: Pick<Manifest, 'files' | 'active'>, b: Pick<Manifest, 'files' | 'active'>): boolean {
  const [first, second] = [Object.entries(a.active), Object.entries(b.active)]
  return (
    first.length === second.length &&
    first.every(([id, active]) => b.active[id] === active) &&
    compareFiles(a.files, b.files).length === 0
  )
}
