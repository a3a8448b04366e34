import type { FileEntry } from '../../core/files/entry.ts'
import { uriEncode } from '../../lib/s3/target.ts'
import { escapeHtml, htmlPage, isCrawlable, linkTo } from './text.ts'

export const INDEX_PATH = '/__index__'

/** Of one page: wget holds it in memory. */
const FILES_ON_PAGE = 10_000

/** `/__index__/`: the trees. */
export function* treesPage(trees: readonly string[]): Generator<string, void> {
  yield* htmlPage(
    'Trees',
    trees.map((tree) => `${linkTo(`${tree}/`, tree)}<br>\n`),
  )
}

/**
 * `/__index__/TREE/`: the pages, all of them: one that only led to the next would soon be deeper than wget follows. Each is from one key to
 * another, so that files that come and go meanwhile make no other file fall between two pages.
 */
export function* pagesPage(
  tree: string,
  files: Iterable<FileEntry>,
  tokenOf: (key: string) => string,
  filesOnPage = FILES_ON_PAGE,
): Generator<string, void> {
  yield* htmlPage(`Files of ${tree}`, pageLines(files, tokenOf, filesOnPage))
}

function* pageLines(
  files: Iterable<FileEntry>,
  tokenOf: (key: string) => string,
  filesOnPage: number,
): Generator<string, void> {
  let count = 0
  let after = ''
  let first = ''
  let last = ''
  for (const { key } of files) {
    if (count > 0 && count % filesOnPage === 0) {
      yield pageLine(tokenOf(after), tokenOf(last), `${first} … ${last}`)
      after = last
    }
    if (count % filesOnPage === 0) first = key
    last = key
    count++
    yield ''
  }
  // The last one has no end: what comes behind it meanwhile is on it.
  yield count === 0 ? 'There are no files.\n' : pageLine(tokenOf(after), '', `${first} …`)
  yield `<p>${count} files</p>\n`
}

function pageLine(after: string, to: string, text: string): string {
  return `<a href="./?after=${uriEncode(after)}&amp;to=${uriEncode(to)}">${escapeHtml(text)}</a><br>\n`
}

/** `/__index__/TREE/?after=&to=`: files as links, relative, below the tree. */
export function* filesPage(tree: string, files: Iterable<FileEntry>): Generator<string, void> {
  yield* htmlPage(`Files of ${tree}`, fileLines(files))
}

function* fileLines(files: Iterable<FileEntry>): Generator<string, void> {
  for (const { key, size } of files) {
    yield `${isCrawlable(key) ? linkTo(key, key) : escapeHtml(key)} ${size}<br>\n`
  }
}
