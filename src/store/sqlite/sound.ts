import { DatabaseSync } from 'node:sqlite'
import { isError, messageOf } from '../../core/errors.ts'
import { pragma } from '../../lib/sqlite.ts'
import { storeError } from './sqlite-errors.ts'

/** Whether the file of a store is whole, as far as SQLite can see. Changes nothing; one that a hub holds is left alone. */
export function looksSound(path: string): {
  readonly state: 'sound' | 'running' | 'damaged'
  readonly problem?: string
} {
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 0 })
    try {
      const verdict = pragma(database, 'integrity_check(1)')
      return verdict === 'ok' ? { state: 'sound' } : { state: 'damaged', problem: String(verdict) }
    } finally {
      database.close()
    }
  } catch (error) {
    const known = storeError(error, path)
    return isError(known, 'STORE_IN_USE') ? { state: 'running' } : { state: 'damaged', problem: messageOf(known) }
  }
}
