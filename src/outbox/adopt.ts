import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import { micros, timeEtag } from '../core/files/etag.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { LedgerRow, OpenLedger } from '../core/push/ledger.ts'
import { isGone, type Operation } from '../core/push/operation.ts'
import type { Service } from '../core/service.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { putOf, type PushedTurns } from './pushed-turns.ts'

export interface AdoptOptions {
  readonly tree: string
  readonly index: Pick<TreeIndex, 'get' | 'changes' | 'changed'>
  readonly ledger: Pick<OpenLedger, 'get' | 'next' | 'record' | 'adopted' | 'keepAdopted' | 'leaving' | 'keepLeaving'>
  readonly turns: Pick<PushedTurns, 'settled'>
  /** Asked again and again: nothing is adopted while somebody feeds this node. */
  readonly isRoot: () => boolean
  /** After each row, when it is durable. */
  readonly onRecorded: (operation: Operation) => void
  readonly clock: Clock
}

/** What changes within it is looked at together. */
const ROUND_MS = 100
/** How often it is asked whether this node is a root by now, or the index knows the folder. */
const ASK_MS = 1000

/**
 * Files that come into the folder of a root otherwise (copied, synced, by a generation) become operations: every entry of the index
 * whose ETag is not the one of its row. Removals do not: one may remove files at the root and read them from the children. Files that
 * are still being written are not in the index. Which changes were looked at is kept with the ledger, after the rows; where the
 * index does not know that cursor any more, everything is compared.
 */
export function adoption(options: AdoptOptions): Service {
  return { name: `what comes into the folder of ${options.tree}`, run: async (signal) => run(options, signal) }
}

async function run(options: AdoptOptions, signal: AbortSignal): Promise<void> {
  const { index, clock, isRoot } = options
  while (!signal.aborted) {
    const round = new AbortController()
    // Listened to from before it is looked, so that nothing comes in between.
    const changed = index.changed({ signal: AbortSignal.any([signal, round.signal]) }).catch(() => undefined)
    try {
      const isDone = isRoot() && (await adopted(options, signal))
      await (isDone ? changed : sleepQuietly(clock, ASK_MS, signal))
    } finally {
      round.abort()
    }
    await sleepQuietly(clock, ROUND_MS, signal)
  }
}

/** False where the index does not know its folder yet. */
async function adopted(options: AdoptOptions, signal: AbortSignal): Promise<boolean> {
  const { index, ledger, isRoot } = options
  try {
    for (const { changes, cursor } of index.changes({ since: ledger.adopted(), prefixes: [] })) {
      await Promise.all(changes.map(async (change) => ('gone' in change ? undefined : adopt(change.key, options))))
      if (signal.aborted || !isRoot()) return false
      if (cursor !== undefined && cursor !== ledger.adopted()) ledger.keepAdopted(cursor)
      await setImmediate()
    }
    await Promise.all(ledger.leaving().map(async (key) => finish(key, options)))
    return true
  } catch (error) {
    if (isError(error, 'NOT_READY')) return false
    throw error
  }
}

async function adopt(key: string, { index, ledger, turns, isRoot, onRecorded }: AdoptOptions): Promise<void> {
  // A put through us is in the index a moment before its row is in the ledger.
  await turns.settled(key)
  // Looked at now, not then: nothing comes between this and the version.
  const entry = index.get(key)
  if (entry === undefined || !isRoot()) return
  const row = ledger.get(key)
  if (row !== undefined && !isGone(row) && row.etag === entry.etag) return
  const operation = { ...putOf(entry), ...keptOf(entry, row), version: ledger.next() }
  if (await ledger.record(operation)) onRecorded(operation)
}

/** A removal in whose midst we were killed: the file is gone, and its row is still there. */
async function finish(key: string, { index, ledger, turns, isRoot, onRecorded }: AdoptOptions): Promise<void> {
  await turns.settled(key)
  if (!isRoot() || !ledger.leaving().includes(key)) return
  const row = ledger.get(key)
  if (index.get(key) !== undefined || row === undefined || isGone(row)) return ledger.keepLeaving(key, false)
  const operation: Operation = { key, version: ledger.next(), gone: true }
  if (await ledger.record(operation)) onRecorded(operation)
}

/**
 * What a row knows of the very same content. An index that was lost and made again knows files by size and time alone: children who
 * have them need not take them once more.
 */
function keptOf(entry: FileEntry, row: LedgerRow | undefined): Partial<Pick<FileEntry, 'sha256' | 'md5'>> {
  if (row === undefined || isGone(row) || entry.etag !== timeEtag(entry)) return {}
  if (row.size !== entry.size || micros(row.modifiedMs) !== micros(entry.modifiedMs)) return {}
  const { sha256, md5, headers } = row
  return { ...(sha256 && { sha256 }), ...(md5 && { md5 }), ...(headers && { headers }) }
}
