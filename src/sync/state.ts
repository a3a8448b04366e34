import { rmSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Known } from '../core/sync/compare.ts'
import type { FileEntry } from '../core/files/entry.ts'
import { fileError } from './faults.ts'

/** Marks the file as ours: "FLSY". */
const APPLICATION_ID = 0x464c5359
/** Of the schema below. */
const FORMAT = 1

/**
 * Nothing here is acknowledged to anybody: what a power loss takes is found again by looking at the files, so the log is not synced at
 * every commit. The lock keeps other processes from the same work.
 */
const SETTINGS = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = 4000;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -16384;
`

const SCHEMA = `
  BEGIN;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE files (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, modified REAL NOT NULL, etag TEXT NOT NULL, sha256 TEXT, md5 TEXT,
    origin INTEGER NOT NULL, path TEXT, inode REAL, local_size INTEGER, local_modified REAL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX files_elsewhere ON files (path) WHERE path IS NOT NULL;
  CREATE INDEX files_spoilt ON files (key) WHERE inode IS NULL;
  CREATE TABLE folders (path TEXT PRIMARY KEY, modified REAL) STRICT, WITHOUT ROWID;
  CREATE TABLE todo (
    key TEXT PRIMARY KEY, stage INTEGER NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL, etag TEXT NOT NULL,
    sha256 TEXT, md5 TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX todo_by_stage ON todo (stage, key);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  COMMIT;
`

/** What the file system told of a file right after it was put in its place. */
export interface Placed {
  readonly inode: number
  readonly size: number
  readonly modifiedMs: number
}

/** A file that was brought over, or found to be here. */
export interface KnownFile extends Known {
  readonly entry: FileEntry
  /** Where it lies, where that is not what its key says. */
  readonly path: string | undefined
  /** Undefined where the file was found to be missing or another one. */
  readonly placed: Placed | undefined
}

/** What is still to be done: files to bring over, by stage; or to delete. */
export interface Todo {
  readonly entry: FileEntry
  readonly stage: number
}

export const STAGES = { data: 0, gone: 100 } as const

type Value = string | number | null
type Row = readonly Value[]

const FILE = 'key, size, modified, etag, sha256, md5, origin, path, inode, local_size, local_modified'
const PAGE = 500
const ENTRY = 'key, size, modified, etag, sha256, md5'

/** What a sync remembers between rounds. On disk: memory does not grow with the files. All calls answer at once. */
export class SyncState {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #isDry: boolean

  private constructor(database: DatabaseSync, isDry: boolean) {
    this.#database = database
    this.#isDry = isDry
    if (isDry) database.exec('BEGIN')
  }

  /** `path` may be `:memory:`. With `isDry` nothing that is written stays. Throws `LOST_RACE` while another process has it open. */
  static open(path: string, { isDry }: { readonly isDry: boolean }): SyncState {
    try {
      return new SyncState(openDatabase(path), isDry)
    } catch (error) {
      throw fileError(error, path)
    }
  }

  close(): void {
    if (this.#isDry) this.#database.exec('ROLLBACK')
    this.#database.close()
  }

  /** All that `write` does stays, or nothing. Not to be nested. */
  transaction(write: () => void): void {
    if (this.#isDry) {
      write()
      return
    }
    this.#database.exec('BEGIN')
    try {
      write()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
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
  *filesIn(folder: string): Generator<KnownFile, void> {
    const start = folder === '' ? '' : `${folder}/`
    const end = folder === '' ? '\u{10ffff}' : `${folder}0`
    for (let after: string | undefined = start; after !== undefined;) {
      const files: readonly KnownFile[] = this.#all(
        `SELECT ${FILE} FROM files WHERE key > ? AND key < ? ORDER BY key LIMIT ?`,
        after,
        end,
        PAGE,
      ).map(knownFile)
      after = files.length < PAGE ? undefined : files.at(-1)?.entry.key
      for (const file of files) {
        const slash = file.entry.key.indexOf('/', start.length)
        if (slash < 0 && file.path === undefined) yield file
        // What lies in a folder below is passed over at once, however much it is.
        if (slash >= 0) after = `${file.entry.key.slice(0, slash)}/\u{10ffff}`
        if (slash >= 0) break
      }
    }
    const sql = `SELECT ${FILE} FROM files WHERE path > ? AND path < ? ORDER BY path`
    for (const file of this.#all(sql, start, end).map(knownFile)) {
      if (file.path?.slice(start.length).includes('/') === false) yield file
    }
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

  setFolder(path: string, modifiedMs: number | undefined): void {
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
    this.#run(`INSERT OR REPLACE INTO todo (${ENTRY}, stage) VALUES (?, ?, ?, ?, ?, ?, ?)`, ...entryRow(entry), stage)
  }

  done(key: string): void {
    this.#run('DELETE FROM todo WHERE key = ?', key)
  }

  /** Of the stages before that. */
  clearTodo(stage: number): void {
    this.#run('DELETE FROM todo WHERE stage < ?', stage)
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

  countTodo(from: number, to: number): number {
    return Number(this.#get('SELECT count(*) FROM todo WHERE stage >= ? AND stage < ?', from, to)?.[0])
  }

  /** Of those that are to be done: files that are known. */
  countKnownTodo(stage: number): number {
    const sql = 'SELECT count(*) FROM todo JOIN files USING (key) WHERE stage = ?'
    return Number(this.#get(sql, stage)?.[0])
  }

  /** Takes a listing that is not sorted, or has to be seen as a whole. Answers what to read it with. */
  collect(): Collected {
    this.#database.exec(
      `DROP TABLE IF EXISTS temp.listed;
       CREATE TEMP TABLE listed (key TEXT PRIMARY KEY, size INTEGER, modified REAL, etag TEXT, sha256 TEXT, md5 TEXT) WITHOUT ROWID`,
    )
    const sql = `INSERT OR IGNORE INTO temp.listed (${ENTRY}) VALUES (?, ?, ?, ?, ?, ?)`
    return {
      add: (entry) => this.#run(sql, ...entryRow(entry)) > 0,
      page: (after, limit) =>
        this.#all(`SELECT ${ENTRY} FROM temp.listed WHERE key > ? ORDER BY key LIMIT ?`, after, limit).map(fileEntry),
      drop: () => this.#database.exec('DROP TABLE temp.listed'),
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    statement.setReturnArrays(true)
    // A statement that goes on referring to a temporary table would keep it from being dropped.
    if (!sql.includes('temp.')) this.#statements.set(sql, statement)
    return statement
  }

  #get(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined
  }

  #all(sql: string, ...values: readonly Value[]): readonly Row[] {
    return this.#statement(sql).all(...values) as unknown as readonly Row[]
  }

  #run(sql: string, ...values: readonly Value[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }
}

export interface Collected {
  /** False where the key is there already. */
  readonly add: (entry: FileEntry) => boolean
  readonly page: (after: string, limit: number) => readonly FileEntry[]
  readonly drop: () => void
}

/** Result codes of SQLite for a file that is no database, or a broken one. Source: sqlite.org/rescode.html */
const BROKEN = new Set([11, 26])

/** What is remembered can be found again, so a file that is broken or of another version is begun anew. */
function openDatabase(path: string): DatabaseSync {
  try {
    const database = tryDatabase(path)
    if (database !== undefined) return database
  } catch (error) {
    if (!BROKEN.has((error as { readonly errcode?: number }).errcode ?? 0)) throw error
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  const database = tryDatabase(path)
  if (database === undefined) throw new Error(`${path} cannot be made`)
  return database
}

/** Undefined where it is of another version. */
function tryDatabase(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec(SETTINGS)
    // The lock is taken by the first access, and kept.
    database.exec('BEGIN IMMEDIATE; COMMIT')
    if (pragma(database, 'schema_version') === 0) database.exec(SCHEMA)
    if (pragma(database, 'application_id') === APPLICATION_ID && pragma(database, 'user_version') === FORMAT) {
      return database
    }
  } catch (error) {
    database.close()
    throw error
  }
  database.close()
  return undefined
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
}

function entryRow({ key, size, modifiedMs, etag, sha256, md5 }: FileEntry): Value[] {
  return [key, size, modifiedMs, etag, sha256 ?? null, md5 ?? null]
}

function fileEntry([key, size, modified, etag, sha256, md5]: Row): FileEntry {
  return {
    key: String(key),
    size: Number(size),
    modifiedMs: Number(modified),
    etag: String(etag),
    ...(typeof sha256 === 'string' && { sha256 }),
    ...(typeof md5 === 'string' && { md5 }),
  }
}

function knownFile(row: Row): KnownFile {
  const entry = fileEntry(row)
  const [origin, path, inode, size, modified] = row.slice(6)
  const placed = typeof inode === 'number' ? { inode, size: Number(size), modifiedMs: Number(modified) } : undefined
  return {
    entry,
    size: entry.size,
    modifiedMs: entry.modifiedMs,
    etag: entry.etag,
    origin: Number(origin),
    intact: placed !== undefined,
    path: typeof path === 'string' ? path : undefined,
    placed,
  }
}
