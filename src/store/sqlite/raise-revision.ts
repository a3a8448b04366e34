import { transact } from '../../lib/sqlite.ts'
import { openDatabase } from './database.ts'
import { storeError } from './sqlite-errors.ts'
import { STORE_BYTES_MAX } from './sqlite-store.ts'

/**
 * Has a store that nobody has open count on from `revision`, unless it is there already. What came before is then no longer held for
 * watches. Throws as `openSqliteStore` rejects.
 */
export function raiseRevision(path: string, revision: number): void {
  try {
    const database = openDatabase(path, STORE_BYTES_MAX)
    try {
      const { newest } = database.prepare('SELECT max(revision) AS newest FROM changes').get() ?? {}
      if (Number(newest ?? 0) >= revision) return
      transact(database, () => {
        database.exec('DELETE FROM changes')
        database.prepare('INSERT INTO changes (revision, changes) VALUES (?, ?)').run(revision, '[]')
      })
    } finally {
      database.close()
    }
  } catch (error) {
    throw storeError(error, path)
  }
}
