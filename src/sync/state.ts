import type { DatabaseSync } from 'node:sqlite'
import type { Known } from '../core/sync/compare.ts'
import type { FileEntry } from '../core/files/entry.ts'
import { fileError } from './faults.ts'
import { openDatabase } from './state-database.ts'
import { filesIn } from './state-folders.ts'
import { type Collected, collectListing } from './state-listing.ts'
import {
  ENTRY,
  entryRow,
  FILE,
  fileEntry,
  knownFile,
  type KnownFile,
  type Row,
  STAGES,
  type Todo,
  type Value,
} from './state-rows.ts'
import { Statements } from './state-statements.ts'
import { StateWrites } from './state-writes.ts'

const PAGE = 500

/** What a sync remembers between rounds. On disk: memory does not grow with the files. All calls answer at once. */
export class SyncState {
  readonly #database: DatabaseSync
  readonly #statements: Statements
  readonly #writes: StateWrites
  #mayHaveTodo = true
  #hasUnsure = false

  private constructor(database: DatabaseSync, path: string, isDry: boolean) {
    this.#database = database
    this.#statements = new Statements(database)
    this.#writes = new StateWrites(database, path, isDry)
  }

  /** `path` may be `:memory:`. With `isDry` nothing that is written stays. Throws `LOST_RACE` while another process has it open. */
  static open(path: string, { isDry }: { readonly isDry: boolean }): SyncState {
    try {
      return new SyncState(openDatabase(path), path, isDry)
    } catch (error) {
      throw fileError(error, path)
    }
  }

  close(): void {
    this.#writes.end()
    this.#database.close()
  }

  /** All that `write` does stays, or nothing. Not to be nested. */
  transaction(write: () => void): void {
    this.#writes.transaction(write)
  }

  /**
   * The same for what can be found out again, such as which file was put in its place: lasting together with what follows soon, at the
   * latest with the next `transaction`.
   */
  soon(write: () => void): void {
    this.#writes.soon(write)
  }

  /** Whether since the last call something was lost that was to be remembered `soon`: it shows when everything is listed. */
  takeLoss(): boolean {
    return this.#writes.takeLoss()
  }

  fact(name: string): string | undefined {
    return this.#get('SELECT value FROM facts WHERE name = ?', name)?.[0] as string | undefined
  }

  setFact(name: string, value: string | undefined): void {
    if (value === undefined) this.#run('DELETE FROM facts WHERE name = ?', name)
    else this.#run('INSERT OR REPLACE INTO facts VALUES (?, ?)', name, value)
  }

  count(): number {
    return Number(this.#get('SELECT count(*) FROM files')?.[0])
  }

  known(key: string): KnownFile | undefined {
    const row = this.#get(`SELECT ${FILE} FROM files WHERE key = ?`, key)
    return row === undefined ? undefined : knownFile(row)
  }

  /** In the order of keys. */
  page(after: string, limit: number): readonly KnownFile[] {
    return this.#all(`SELECT ${FILE} FROM files WHERE key > ? ORDER BY key LIMIT ?`, after, limit).map(knownFile)
  }

  /** The files that lie in that folder of the tree itself; '' is the root. */
  filesIn(folder: string): Generator<KnownFile, void> {
    return filesIn(this.#statements, folder)
  }

  /** Those that were found to be missing or others, in the order of keys. */
  spoilt(after: string, limit: number): readonly KnownFile[] {
    const sql = `SELECT ${FILE} FROM files WHERE inode IS NULL AND key > ? ORDER BY key LIMIT ?`
    return this.#all(sql, after, limit).map(knownFile)
  }

  put({ entry, origin, path, placed }: Omit<KnownFile, keyof Known> & Pick<Known, 'origin'>): void {
    const { inode = null, size = null, modifiedMs = null } = placed ?? {}
    this.#run(
      `INSERT OR REPLACE INTO files (${FILE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...entryRow(entry),
      origin,
      path ?? null,
      inode,
      size,
      modifiedMs,
    )
  }

  /** The file here is missing, or another one. */
  spoil(key: string): void {
    this.#run('UPDATE files SET inode = NULL, local_size = NULL, local_modified = NULL WHERE key = ?', key)
  }

  forget(key: string): void {
    this.#run('DELETE FROM files WHERE key = ?', key)
  }

  /** Undefined: not known, or not sure. */
  folder(path: string): number | undefined {
    return (this.#get('SELECT modified FROM folders WHERE path = ?', path)?.[0] ?? undefined) as number | undefined
  }

  folders(
    after: string | undefined,
    limit: number,
  ): readonly { readonly path: string; readonly modifiedMs: number | undefined }[] {
    const rows =
      after === undefined
        ? this.#all('SELECT path, modified FROM folders ORDER BY path LIMIT ?', limit)
        : this.#all('SELECT path, modified FROM folders WHERE path > ? ORDER BY path LIMIT ?', after, limit)
    return rows.map(([path, modified]) => ({
      path: String(path),
      modifiedMs: modified === null ? undefined : Number(modified),
    }))
  }

  /** After that one: what is noted without a time, as `undefined` says, of folders that were noted since this state was opened. */
  unsureFolders(after: string | undefined, limit: number): readonly string[] {
    if (!this.#hasUnsure) return []
    const sql = 'SELECT path FROM folders WHERE modified IS NULL AND (? IS NULL OR path > ?) ORDER BY path LIMIT ?'
    const rows = this.#all(sql, after ?? null, after ?? null, limit)
    if (rows.length === 0 && after === undefined) this.#hasUnsure = false
    return rows.map(([path]) => String(path))
  }

  setFolder(path: string, modifiedMs: number | undefined): void {
    if (modifiedMs === undefined) this.#hasUnsure = true
    this.#run('INSERT OR REPLACE INTO folders VALUES (?, ?)', path, modifiedMs ?? null)
  }

  /** Every folder is to be looked at. */
  doubtFolders(): void {
    this.#run('UPDATE folders SET modified = NULL')
  }

  forgetFolder(path: string): void {
    this.#run('DELETE FROM folders WHERE path = ?', path)
  }

  defer(entry: FileEntry, stage: number): void {
    this.#mayHaveTodo = true
    this.#run(`INSERT OR REPLACE INTO todo (${ENTRY}, stage) VALUES (?, ?, ?, ?, ?, ?, ?)`, ...entryRow(entry), stage)
  }

  done(key: string): void {
    // For each file that is put in its place, while mostly there is nothing.
    if (this.#mayHaveTodo) this.#run('DELETE FROM todo WHERE key = ?', key)
  }

  /** A group is visible as the generation in that folder; its place lies in the folder `above`. */
  setGroup(key: string, above: string, folder: string | undefined): void {
    if (folder === undefined) this.#run('DELETE FROM groups WHERE key = ?', key)
    else this.#run('INSERT OR REPLACE INTO groups VALUES (?, ?, ?)', key, above, folder)
  }

  /** Groups whose places lie in that folder. */
  groupsIn(above: string): readonly { readonly key: string; readonly folder: string }[] {
    const rows = this.#all('SELECT key, folder FROM groups WHERE above = ?', above)
    return rows.map(([key, folder]) => ({ key: String(key), folder: String(folder) }))
  }

  groups(): readonly { readonly key: string; readonly folder: string }[] {
    return this.#all('SELECT key, folder FROM groups').map(([key, folder]) => ({
      key: String(key),
      folder: String(folder),
    }))
  }

  /** The files whose keys lie below that folder, however deep. */
  below(folder: string): readonly KnownFile[] {
    const sql = `SELECT ${FILE} FROM files WHERE key > ? AND key < ? ORDER BY key`
    return this.#all(sql, `${folder}/`, `${folder}0`).map(knownFile)
  }

  forgetBelow(folder: string): void {
    this.#run('DELETE FROM files WHERE key > ? AND key < ?', `${folder}/`, `${folder}0`)
  }

  spoilBelow(folder: string): void {
    const sql = 'UPDATE files SET inode = NULL, local_size = NULL, local_modified = NULL WHERE key > ? AND key < ?'
    this.#run(sql, `${folder}/`, `${folder}0`)
  }

  /** Whether it is noted to be deleted. */
  isGone(key: string): boolean {
    return this.#get('SELECT 1 FROM todo WHERE key = ? AND stage = ?', key, STAGES.gone) !== undefined
  }

  /** Of the stages before that. */
  clearTodo(stage: number): void {
    this.#run('DELETE FROM todo WHERE stage < ?', stage)
  }

  /** Of one stage, by key; what is done meanwhile is passed over. */
  *eachTodo(stage: number): Generator<Todo> {
    for (let after = { stage, key: '' }; ;) {
      const page = this.todo(stage, stage + 1, after, PAGE)
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return
      after = { stage, key: last.entry.key }
    }
  }

  /** From `from` up to, without, `to`; by stage, then key. */
  todo(
    from: number,
    to: number,
    after: Pick<Todo, 'stage'> & { readonly key: string },
    limit: number,
  ): readonly Todo[] {
    const sql = `SELECT ${ENTRY}, stage FROM todo WHERE stage >= ? AND stage < ? AND (stage, key) > (?, ?) ORDER BY stage, key LIMIT ?`
    return this.#all(sql, from, to, after.stage, after.key, limit).map((row) => ({
      entry: fileEntry(row),
      stage: Number(row[6]),
    }))
  }

  /** Of the files that are here. Looks at all of them. */
  totals(): { readonly files: number; readonly bytes: number } {
    const [files, bytes] = this.#get('SELECT count(*), coalesce(sum(size), 0) FROM files') ?? []
    return { files: Number(files), bytes: Number(bytes) }
  }

  countTodo(from: number, to: number): number {
    const count = this.#mayHaveTodo
      ? Number(this.#get('SELECT count(*) FROM todo WHERE stage >= ? AND stage < ?', from, to)?.[0])
      : 0
    if (count === 0 && from === 0 && to === Number.MAX_SAFE_INTEGER) this.#mayHaveTodo = false
    return count
  }

  /** Of those that are to be done: files that are known. */
  countKnownTodo(stage: number): number {
    const sql = 'SELECT count(*) FROM todo JOIN files USING (key) WHERE stage = ?'
    return Number(this.#get(sql, stage)?.[0])
  }

  /** Takes a listing that is not sorted, or has to be seen as a whole. Answers what to read it with. */
  collect(): Collected {
    return collectListing(this.#database, this.#statements)
  }

  #get(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statements.get(sql, ...values)
  }

  #all(sql: string, ...values: readonly Value[]): readonly Row[] {
    return this.#statements.all(sql, ...values)
  }

  #run(sql: string, ...values: readonly Value[]): number {
    return this.#statements.run(sql, ...values)
  }
}
