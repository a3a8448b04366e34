import type { Batch, Change } from '../../core/store.ts'

/** One commit in the history: `[key, value]` or `[key, value, lease]` for a put, `[key]` for a deletion. */
type Row = readonly [key: string, value?: string, leaseId?: string]

export function batchToText({ changes }: Batch): string {
  return JSON.stringify(changes.map(toRow))
}

export function batchFromText(revision: number, text: string): Batch {
  const rows = JSON.parse(text) as readonly Row[]
  return { revision, changes: rows.map((row) => toChange(revision, row)) }
}

function toRow(change: Change): Row {
  if (change.op === 'delete') return [change.key]
  const { key, value, leaseId } = change.entry
  return leaseId === undefined ? [key, value] : [key, value, leaseId]
}

function toChange(revision: number, [key, value, leaseId]: Row): Change {
  if (value === undefined) return { op: 'delete', key }
  return { op: 'put', entry: { key, value, revision, ...(leaseId === undefined ? {} : { leaseId }) } }
}
