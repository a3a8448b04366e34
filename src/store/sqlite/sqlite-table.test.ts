import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import type { Batch } from '../../core/store.ts'
import { openDatabase } from './database.ts'
import { SqliteTable } from './sqlite-table.ts'

const put = (key: string, revision: number): Batch => ({
  revision,
  changes: [{ op: 'put', entry: { key, value: 'x'.repeat(100), revision } }],
})

function write(table: SqliteTable, batch: Batch): void {
  for (const change of batch.changes) if (change.op === 'put') table.put(change.entry)
  table.append(batch)
}

it('a transaction that fails for whatever reason leaves the table, its history and its limits as they were', () => {
  const path = join(temporaryFolder(), 'store.db')
  const limits = { revisions: 100, bytes: 400 }
  const table = new SqliteTable(openDatabase(path, 2 ** 30), path, { keep: limits, recent: limits })
  table.transact(() => write(table, put('a', 1)))
  for (let attempt = 0; attempt < 5; attempt++) {
    const failing = (): void => {
      write(table, put('b', 2))
      table.addLease({ id: 'lease', ttlMs: 1000 })
      throw new RangeError('a fault of ours')
    }
    expect(() => table.transact(failing)).toThrow('a fault of ours')
    expect(table.revision).toBe(1)
    expect(table.list('').map(({ key }) => key)).toEqual(['a'])
    expect(table.leases()).toEqual([])
  }
  table.transact(() => write(table, put('c', 2)))
  expect([table.compacted, table.revision]).toEqual([0, 2])
  expect([table.batch(1), table.batch(2)]).toEqual([put('a', 1), put('c', 2)])
  table.close()
})
