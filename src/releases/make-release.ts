import type { ReleaseAnswer } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { type Desired, RELEASE_LIMITS, type ReleaseRecord } from '../core/release.ts'
import type { Strategy } from '../core/rollout.ts'
import type { Store, Txn } from '../core/store.ts'
import type { ItemChange, Manifest, TreeFile, TreeItem, TreeKind } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import type { Rollouts } from '../rollout/rollouts.ts'
import type { BlobStore } from './blobs.ts'
import type { Differences } from './differences.ts'
import { type Checked, checkDraft, type Draft } from './draft.ts'
import type { Head, History } from './history.ts'
import { checkFiles, encodeManifest, manifestTree, parseManifest } from './manifest.ts'
import { contextOf } from './node-context.ts'
import { countChanges, isSameContent, lostItems, needsConfirmation, overridesOf, tombstones } from './rules.ts'

export interface MakeDeps {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly guardShare: number
  readonly history: History
  readonly differences: Differences
  readonly rollouts: Rollouts
}

const NAMED_MAX = 5
const MISSING_NAMED_MAX = 20

/**
 * Turns a draft into the next release on top of `head`: contents held, checked as a whole, guarded, compared, and then, in
 * one commit that expects `head` still to be desired, either made desired or given to a rollout. Its number comes after
 * every other there is, also after those that were taken back. Whatever is refused has changed nothing.
 */
export async function makeRelease(
  deps: MakeDeps,
  { tree, head, draft, author }: { tree: string; head: Head; draft: Draft; author: string },
  op: Op,
): Promise<ReleaseAnswer> {
  // Known before the work that takes time, and expected once more by the commit.
  if (draft.dryRun !== true) await deps.rollouts.idle(tree, op)
  const strategy = await strategyFor(deps.rollouts, tree, head, draft, op)
  const kind = deps.differences.kind(draft.kind)
  if (head.number > 0 && head.manifest.kind !== draft.kind) {
    throw new FlotillaError('BAD_REQUEST', `${tree} is a tree of kind ${head.manifest.kind}, not ${draft.kind}`)
  }
  checkFiles(draft.files)
  await requireContents(deps.blobs, head, draft.files, op)
  const before = await deps.differences.items(head, op)
  const nodes = draft.trusted === true ? {} : contextOf((await deps.store.list(keys.nodes, op)).entries, tree)
  const context = { ...nodes, active: draft.active }
  const checked = await checkDraft(draft, { kind, blobs: deps.blobs, head, before, context }, op)
  guard(draft, before, checked, deps.guardShare)
  const newest = await deps.history.newestNumber(tree, head.number, op)
  const number = newest + 1
  const others = await takenBackItems(deps, { tree, from: head.number + 1, to: newest }, op)
  const removed = tombstones(head.manifest, [...others, ...before], checked.items, number)
  const active = overridesOf(draft.active, checked.items, removed)
  const manifest: Manifest = { format: 1, kind: draft.kind, files: checked.files, active, removed }
  const answer = { warnings: checked.warnings, quarantined: checked.quarantined }
  if (head.record !== undefined && isSameContent(head.manifest, manifest)) {
    return { changed: false, release: head.record, changes: [], ...answer }
  }
  const bytes = encodedManifest(manifest)
  const next = { number, manifest, tree: manifestTree(manifest, deps.blobs), items: checked.items }
  const changes = await deps.differences.between({ ...head, items: before }, next, op)
  const release: ReleaseRecord = {
    tree,
    number,
    manifest: sha256(bytes),
    author,
    message: draft.message,
    atMs: deps.clock.nowMs(),
    ...(head.number !== number - 1 && { base: head.number }),
    ...(draft.rollbackTo !== undefined && { rollbackTo: draft.rollbackTo }),
    ...(draft.source !== undefined && { source: draft.source }),
    ...(checked.quarantined.length > 0 && { quarantined: checked.quarantined }),
    items: checked.items.length,
    changes: countChanges(changes),
  }
  if (draft.dryRun !== true) {
    await deps.blobs.put(release.manifest, bytes, { ...op, limitBytes: RELEASE_LIMITS.manifestBytes })
    await commit(deps, head, { release, changes, strategy, drains: kind.drains }, op)
  }
  return { changed: true, release, changes, ...answer, strategy }
}

/** A first release has nothing that nodes could go back to: it goes to every node at once. */
async function strategyFor(
  rollouts: Rollouts,
  tree: string,
  head: Head,
  draft: Draft,
  op: Op,
): Promise<Strategy | undefined> {
  return head.number === 0 ? undefined : await rollouts.strategy(tree, draft.strategy, op)
}

/** So many releases that were taken back one after the other are looked at for what they had added. */
const TAKEN_BACK_MAX = 10

/** What a node may still serve of releases that were taken back: it is to be unloaded like what is removed. */
async function takenBackItems(
  { differences }: MakeDeps,
  { tree, from, to }: { readonly tree: string; readonly from: number; readonly to: number },
  op: Op,
): Promise<readonly TreeItem[]> {
  const items: TreeItem[] = []
  for (let number = Math.max(from, to - TAKEN_BACK_MAX + 1); number <= to; number++) {
    const release = await differences.held(tree, number, op)
    if (release !== undefined) items.push(...(await differences.items(release, op)))
  }
  return items
}

/** What is committed can be read again: a kind that accepts an impossible id must not end the history of its tree. */
function encodedManifest(manifest: Manifest): Uint8Array {
  const bytes = encodeManifest(manifest)
  if (bytes.byteLength > RELEASE_LIMITS.manifestBytes) {
    throw new FlotillaError('TOO_LARGE', `the list of files has ${bytes.byteLength} bytes`, {
      hint: `At most ${RELEASE_LIMITS.manifestBytes}: use fewer files, or shorter names.`,
    })
  }
  parseManifest(bytes)
  return bytes
}

interface Made {
  readonly release: ReleaseRecord
  readonly changes: readonly ItemChange[]
  readonly strategy: Strategy | undefined
  readonly drains: TreeKind['drains']
}

/** The record with what is desired, or with its rollout, as one commit. The contents are held durably by now. */
async function commit(deps: MakeDeps, head: Head, made: Made, op: Op): Promise<void> {
  const { tree, number } = made.release
  const key = keys.release(tree, number)
  const way = await wayOf(deps.rollouts, head, made, op)
  const committed = await deps.store.commit(
    {
      expect: [{ key, revision: 0 }, ...way.expect],
      changes: [{ op: 'put', key, value: JSON.stringify(made.release) }, ...way.changes],
    },
    op,
  )
  if (!committed.committed) throw await lostRace(deps.history, tree, op)
}

/** How it reaches the nodes. */
async function wayOf(
  rollouts: Rollouts,
  { number: from, record, revision }: Head,
  { release, changes, strategy, drains }: Made,
  op: Op,
): Promise<Required<Pick<Txn, 'expect' | 'changes'>>> {
  const { tree, number, manifest, author } = release
  const desired: Desired = { release: number, manifest }
  if (strategy === undefined) {
    const key = keys.desired(tree)
    const expect = [await rollouts.idle(tree, op), { key, revision }]
    return { expect, changes: [{ op: 'put', key, value: JSON.stringify(desired) }] }
  }
  const effects = Object.fromEntries(changes.map(({ id, effect }) => [id, effect]))
  const base = { release: from, manifest: record?.manifest ?? '', revision }
  return rollouts.startTxn({ tree, release: desired, from: base, effects, drains, strategy, author }, op)
}

/** Names who was quicker. */
export async function lostRace(history: History, tree: string, op: Op): Promise<FlotillaError> {
  const desired = (await history.desired(tree, op))?.release ?? 0
  const number = await history.newestNumber(tree, desired, op)
  const winner = await history.find(tree, number, op)
  const who = winner === undefined ? 'another release' : `r${number} by ${winner.author}`
  return new FlotillaError('LOST_RACE', `${who} of ${tree} was made meanwhile; nothing was changed by you`, {
    hint: 'Look at what it changed with `flotilla history`, then release again.',
  })
}

/** Files that the last release has too are held: no sweep takes them. */
async function requireContents(blobs: BlobStore, head: Head, files: readonly TreeFile[], op: Op): Promise<void> {
  const released = new Map(head.manifest.files.map(({ sha256: hash, size }) => [hash, size]))
  const unknown = files.filter((file) => released.get(file.sha256) !== file.size)
  const sizes = await blobs.sizes(
    unknown.map((file) => file.sha256),
    op,
  )
  const missing = unknown.filter((file) => !sizes.has(file.sha256))
  if (missing.length > 0) {
    const named = missing.slice(0, MISSING_NAMED_MAX).map(({ path, sha256: hash }) => `${path} (${hash})`)
    throw new FlotillaError(
      'BLOBS_MISSING',
      `${missing.length} contents are not held: ${listed(named, missing.length)}`,
    )
  }
  const wrong = unknown.find((file) => sizes.get(file.sha256) !== file.size)
  if (wrong === undefined) return
  throw new FlotillaError('BAD_REQUEST', `${wrong.path} has ${sizes.get(wrong.sha256)} bytes, not ${wrong.size}`)
}

function guard(draft: Draft, before: readonly TreeItem[], checked: Checked, share: number): void {
  if (draft.confirmRemoval === true || draft.trusted === true) return
  const lost = lostItems(before, checked.items)
  // A dataset that moved into a new file that is left out would vanish unnoticed.
  const leftOut = checked.quarantined.filter(({ keptFrom }) => keptFrom === undefined)
  const isMove = leftOut.length > 0 && lost.length > 0
  if (!isMove && !needsConfirmation(lost.length, before.length, checked.items.length, share)) return
  const names = listed(lost.slice(0, NAMED_MAX), lost.length)
  const why = isMove ? `, while the new ${leftOut[0]?.path} is left out` : ''
  const message = `${lost.length} of ${before.length} datasets would no longer be served: ${names}${why}`
  throw new FlotillaError('GUARD', message, {
    hint: 'Nothing was changed. If it is meant, release again with --confirm-removal.',
  })
}

function listed(names: readonly string[], all: number): string {
  return names.join(', ') + (all > names.length ? ` and ${all - names.length} more` : '')
}
