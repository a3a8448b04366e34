import { type FileEntry, KEY_BYTES_MAX } from '../../core/files/entry.ts'
import type { TreeIndex } from '../../core/files/tree-index.ts'

/** What can be listed: a tree, a part of it, several trees as one. */
export type Pager = Pick<TreeIndex, 'page'>

/** One line of a listing: a file, or all that begin with a common prefix in one. */
export type Listed = FileEntry | { readonly commonPrefix: string }

export interface WalkOptions {
  readonly prefix: string
  /** Empty for none. Any text. */
  readonly delimiter: string
  /** What was listed last, a key or a common prefix: what follows it comes. Empty: from the begin. */
  readonly after: string
}

const PAGE_MIN = 16
const PAGE_MAX = 1000

/**
 * The lines of a listing in order. What lies below a common prefix is passed over in one step, however much it is. Nothing is
 * held but one page, and between pages the index may change.
 */
export function* walk(pager: Pager, { prefix, delimiter, after }: WalkOptions): Generator<Listed, void> {
  let from = isCommonPrefix(after, prefix, delimiter) ? lastBelow(after) : after
  let limit = delimiter === '' ? PAGE_MAX : PAGE_MIN
  for (;;) {
    const entries = pager.page({ prefix, after: from, limit })
    let common: string | undefined
    for (const entry of entries) {
      if (common !== undefined && entry.key.startsWith(common)) continue
      common = commonPrefixOf(entry.key, prefix, delimiter)
      yield common === undefined ? entry : { commonPrefix: common }
    }
    const last = entries.at(-1)
    if (last === undefined || entries.length < limit) return
    from = common === undefined ? last.key : lastBelow(common)
    limit = common === undefined ? Math.min(limit * 2, PAGE_MAX) : PAGE_MIN
  }
}

function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.slice(0, at + delimiter.length)
}

function isCommonPrefix(text: string, prefix: string, delimiter: string): boolean {
  return text.startsWith(prefix) && commonPrefixOf(text, prefix, delimiter) === text
}

/** Comes after every key that begins so, and before everything else that comes after them. */
export function lastBelow(prefix: string): string {
  return prefix + BEYOND
}

/** Longer than any key, of the last of all characters. */
const BEYOND = '\u{10ffff}'.repeat(KEY_BYTES_MAX / 4 + 1)
