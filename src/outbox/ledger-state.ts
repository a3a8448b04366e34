import { randomBytes } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { compareVersions, type Version } from '../core/push/operation.ts'

/** Sequences that are set aside on the disk at once, so that none is given out twice, whatever was recorded of them. */
const SET_ASIDE = 4096

interface Row {
  readonly id: string
  readonly was: string | null
  readonly epoch: number
  readonly given: number
  readonly position: number
  readonly newest_epoch: number
  readonly newest_sequence: number
  readonly floor_epoch: number
  readonly floor_sequence: number
}

interface Mark {
  readonly id: string
  readonly was: string | undefined
  readonly position: number
  readonly newest: Version
  readonly floor: Version
}

/** The numbers of a ledger: what was given out, recorded and forgotten. Changes are kept by `save`, within a transaction. */
export class LedgerState {
  readonly #sql: ReturnType<typeof statements>
  #epoch: number
  #sequence: number
  /** No sequence above it may be given out before the disk knows. */
  #given: number
  #mark: Mark

  constructor(database: DatabaseSync) {
    this.#sql = statements(database)
    const row = this.#sql.get.get() as unknown as Row
    this.#epoch = row.epoch
    this.#sequence = row.given
    this.#given = row.given
    this.#mark = {
      id: row.id,
      was: row.was ?? undefined,
      position: row.position,
      newest: { epoch: row.newest_epoch, sequence: row.newest_sequence },
      floor: { epoch: row.floor_epoch, sequence: row.floor_sequence },
    }
  }

  get id(): string {
    return this.#mark.id
  }

  get was(): string | undefined {
    return this.#mark.was
  }

  get position(): number {
    return this.#mark.position
  }

  get newest(): Version | undefined {
    return this.#mark.newest.epoch === 0 ? undefined : this.#mark.newest
  }

  /** The greatest version of the deletions that were forgotten. */
  get floor(): Version {
    return this.#mark.floor
  }

  /** `sync` waits for the disk; every few thousand versions only. */
  next(nowMs: number, sync: () => void): Version {
    const { newest } = this.#mark
    // Somebody else has led meanwhile: a later epoch than theirs begins.
    if (compareVersions(newest, { epoch: this.#epoch, sequence: this.#sequence }) > 0)
      this.lead(Math.max(Math.floor(nowMs / 1000), newest.epoch + 1), sync)
    if (this.#sequence === this.#given) {
      this.#keepGiven(this.#sequence + SET_ASIDE, sync)
    }
    return { epoch: this.#epoch, sequence: ++this.#sequence }
  }

  lead(epoch: number, sync: () => void): void {
    if (epoch <= this.#epoch) return
    this.#epoch = epoch
    this.#sequence = 0
    this.#given = 0
    this.#keepGiven(0, sync)
  }

  /** The position of an operation that is recorded now. */
  take(version: Version): number {
    const position = this.#mark.position + 1
    this.#mark = { ...this.#mark, position, newest: later(this.#mark.newest, version) }
    return position
  }

  forgot(version: Version): void {
    this.#mark = { ...this.#mark, floor: later(this.#mark.floor, version) }
  }

  restart(): void {
    const { id, position } = this.#mark
    this.#mark = { id: newId(), was: id, position, newest: NOTHING, floor: NOTHING }
    this.save()
  }

  /** What a transaction that came to nothing goes back to. */
  mark(): Mark {
    return this.#mark
  }

  reset(mark: Mark): void {
    this.#mark = mark
  }

  save(): void {
    const { id, was, position, newest, floor } = this.#mark
    this.#sql.save.run(id, was ?? null, position, newest.epoch, newest.sequence, floor.epoch, floor.sequence)
  }

  /** Whether the file is sound has to be seen before it is used again. */
  doubt(): void {
    try {
      this.#sql.doubt.run()
    } catch {
      // Whoever opens it finds that out too.
    }
  }

  /** In order: nothing that was set aside is lost. */
  end(): void {
    this.#given = this.#sequence
    this.#sql.end.run(this.#given)
  }

  #keepGiven(given: number, sync: () => void): void {
    this.#sql.given.run(this.#epoch, given)
    sync()
    this.#given = given
  }
}

const NOTHING: Version = { epoch: 0, sequence: 0 }

export function newId(): string {
  return randomBytes(16).toString('hex')
}

function later(a: Version, b: Version): Version {
  return compareVersions(a, b) < 0 ? b : a
}

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  return {
    get: prepare('SELECT * FROM state'),
    save: prepare(
      'UPDATE state SET id = ?, was = ?, position = ?, newest_epoch = ?, newest_sequence = ?, floor_epoch = ?, floor_sequence = ?',
    ),
    given: prepare('UPDATE state SET epoch = ?, given = ?'),
    doubt: prepare(`UPDATE state SET clean = 0, boot = ''`),
    end: prepare("UPDATE state SET given = ?, clean = 1 WHERE boot <> ''"),
  }
}
