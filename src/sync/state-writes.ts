import type { DatabaseSync } from 'node:sqlite'
import { fileError } from './faults.ts'

/** So many small writes are made lasting with one. */
const TOGETHER = 64

/** When what is written to the database of a sync becomes lasting. */
export class StateWrites {
  readonly #database: DatabaseSync
  readonly #path: string
  readonly #isDry: boolean
  #uncommitted = 0
  #hasLost = false

  /** With `isDry` nothing stays. */
  constructor(database: DatabaseSync, path: string, isDry: boolean) {
    this.#database = database
    this.#path = path
    this.#isDry = isDry
    if (isDry) database.exec('BEGIN')
  }

  /** What was written `soon` lasts from here on. */
  end(): void {
    if (this.#isDry) this.#database.exec('ROLLBACK')
    else this.#commit()
  }

  /** All that `write` does stays, or nothing. Not to be nested. */
  transaction(write: () => void): void {
    if (this.#isDry) {
      write()
      return
    }
    this.#commit()
    this.#begun(() => {
      write()
      this.#database.exec('COMMIT')
    })
  }

  /**
   * The same for what can be found out again, such as which file was put in its place: lasting together with what follows soon, at the
   * latest with the next `transaction`.
   */
  soon(write: () => void): void {
    if (this.#isDry) {
      write()
      return
    }
    this.#begun(write)
    this.#uncommitted += 1
    if (this.#uncommitted >= TOGETHER) this.#commit()
  }

  /** Whether since the last call something was lost that was to be remembered `soon`: it shows when everything is listed. */
  takeLoss(): boolean {
    const hasLost = this.#hasLost
    this.#hasLost = false
    return hasLost
  }

  #commit(): void {
    if (this.#database.isTransaction) this.#begun(() => this.#database.exec('COMMIT'))
    this.#uncommitted = 0
  }

  #begun(write: () => void): void {
    try {
      if (!this.#database.isTransaction) this.#database.exec('BEGIN')
      write()
    } catch (error) {
      // After some errors, such as that of a full disk, SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      this.#hasLost ||= this.#uncommitted > 0
      this.#uncommitted = 0
      throw 'errcode' in (error as object) ? fileError(error, this.#path) : error
    }
  }
}
