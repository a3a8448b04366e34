import { FILE, knownFile, type KnownFile } from './state-rows.ts'
import type { Statements } from './state-statements.ts'

const PAGE = 500

/** The files that lie in that folder of the tree itself; '' is the root. */
export function* filesIn(statements: Statements, folder: string): Generator<KnownFile, void> {
  for (const file of directlyIn(statements, folder, 'key', ({ entry }) => entry.key))
    if (file.path === undefined) yield file
  yield* directlyIn(statements, folder, 'path', ({ path }) => path ?? '')
}

/** What lies in folders below is passed over at once, however much it is. */
function* directlyIn(
  statements: Statements,
  folder: string,
  column: 'key' | 'path',
  nameOf: (file: KnownFile) => string,
): Generator<KnownFile, void> {
  const start = folder === '' ? '' : `${folder}/`
  const end = folder === '' ? '\u{10ffff}' : `${folder}0`
  const sql = `SELECT ${FILE} FROM files WHERE ${column} > ? AND ${column} < ? ORDER BY ${column} LIMIT ?`
  let after = start
  for (let limit = 1; ;) {
    const files = statements.all(sql, after, end, limit).map(knownFile)
    const isEnd = files.length < limit
    limit = PAGE
    let isBelow = false
    for (const file of files) {
      const slash = nameOf(file).indexOf('/', start.length)
      isBelow = slash >= 0
      after = isBelow ? `${nameOf(file).slice(0, slash)}/\u{10ffff}` : nameOf(file)
      if (isBelow) break
      yield file
    }
    // More folders are likely to follow: of each only one file is looked at.
    if (isBelow) limit = 1
    else if (isEnd) return
  }
}
