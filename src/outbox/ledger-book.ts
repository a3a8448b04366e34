import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { ChildBook, ChildRecord, ParentRecord, StuckOperation } from '../core/push/ledger.ts'

/** Longer texts of errors are cut. */
const ERROR_MAX = 500

/** Of a node that became a root: who fed it before. */
type StoredParent = ParentRecord & { readonly isFormer?: true }

/**
 * What a parent knows of its children, in the file of its ledger. Nothing waits for the disk; what is written here is durable with
 * the next row.
 */
export class LedgerBook implements ChildBook {
  readonly #sql: ReturnType<typeof statements>
  /** Asked for with every write. */
  #parent: { readonly record: StoredParent | undefined } | undefined

  constructor(database: DatabaseSync) {
    this.#sql = statements(database)
  }

  child(url: string): ChildRecord | undefined {
    return this.#sql.child.get(url) as unknown as ChildRecord | undefined
  }

  keep(url: string, { id, cursor }: ChildRecord): void {
    this.#sql.keep.run(url, id, cursor)
  }

  forgetChild(url: string): void {
    this.#sql.forget.run(url)
    this.#sql.forgetStuck.run(url)
  }

  stuck(url: string, { after, limit }: { readonly after: string; readonly limit: number }): readonly StuckOperation[] {
    return this.#sql.stuck.all(url, after, limit) as unknown as readonly StuckOperation[]
  }

  keepStuck(url: string, { key, position, attempts, error, nextMs }: StuckOperation): void {
    this.#sql.keepStuck.run(url, key, position, attempts, error.slice(0, ERROR_MAX), nextMs)
  }

  unstick(url: string, key: string): void {
    this.#sql.unstick.run(url, key)
  }

  outdatedBy(): readonly string[] {
    return this.#sql.outdated.all().map(({ url }) => String(url))
  }

  keepOutdated(url: string, isOutdated: boolean): void {
    this.#sql[isOutdated ? 'isOutdated' : 'isNotOutdated'].run(url)
  }

  parent(): ParentRecord | undefined {
    const stored = this.#storedParent()
    return stored?.isFormer === true ? undefined : stored
  }

  keepParent(parent: ParentRecord | undefined): void {
    const before = this.#storedParent()
    const stored = parent ?? (before && { ...before, isFormer: true as const })
    this.#parent = undefined
    this.#sql.keepParent.run(stored === undefined ? null : JSON.stringify(stored))
  }

  formerParent(): ParentRecord | undefined {
    const { isFormer, ...former } = this.#storedParent() ?? {}
    return isFormer === true ? (former as ParentRecord) : undefined
  }

  #storedParent(): StoredParent | undefined {
    if (this.#parent === undefined) {
      const parent = this.#sql.parent.get()?.['parent']
      this.#parent = { record: typeof parent === 'string' ? (JSON.parse(parent) as StoredParent) : undefined }
    }
    return this.#parent.record
  }

  leaving(): readonly string[] {
    return this.#sql.leaving.all().map(({ key }) => String(key))
  }

  keepLeaving(key: string, isLeaving: boolean): void {
    this.#sql[isLeaving ? 'leaves' : 'stays'].run(key)
  }

  adopted(): string | undefined {
    const cursor = this.#sql.adopted.get()?.['adopted']
    return typeof cursor === 'string' ? cursor : undefined
  }

  keepAdopted(cursor: string): void {
    this.#sql.keepAdopted.run(cursor)
  }
}

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  return {
    child: prepare('SELECT id, cursor FROM children WHERE url = ?'),
    keep: prepare('INSERT OR REPLACE INTO children (url, id, cursor) VALUES (?, ?, ?)'),
    forget: prepare('DELETE FROM children WHERE url = ?'),
    forgetStuck: prepare('DELETE FROM stuck WHERE url = ?'),
    stuck: prepare(
      'SELECT key, position, attempts, error, next AS nextMs FROM stuck WHERE url = ? AND key > ? ORDER BY key LIMIT ?',
    ),
    keepStuck: prepare(
      'INSERT OR REPLACE INTO stuck (url, key, position, attempts, error, next) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    unstick: prepare('DELETE FROM stuck WHERE url = ? AND key = ?'),
    outdated: prepare('SELECT url FROM outdated ORDER BY url'),
    isOutdated: prepare('INSERT OR IGNORE INTO outdated (url) VALUES (?)'),
    isNotOutdated: prepare('DELETE FROM outdated WHERE url = ?'),
    parent: prepare('SELECT parent FROM state'),
    keepParent: prepare('UPDATE state SET parent = ?'),
    leaving: prepare('SELECT key FROM leaving ORDER BY key'),
    leaves: prepare('INSERT OR IGNORE INTO leaving (key) VALUES (?)'),
    stays: prepare('DELETE FROM leaving WHERE key = ?'),
    adopted: prepare('SELECT adopted FROM state'),
    keepAdopted: prepare('UPDATE state SET adopted = ?'),
  }
}
