import type { FileEntry } from '../files/entry.ts'
import type { ListScope } from '../files/source.ts'
import { anyMatches, type Glob } from './glob.ts'
import { isWithin, type TimeSpan, timeOfPath } from './times.ts'

/**
 * - `wanted`: is brought over and kept in step;
 * - `unwanted`: is not, or not any more, such as a chunk that has become too old;
 * - `later`: what is here stays as it is, and nothing is brought over now.
 */
export type Verdict = 'wanted' | 'unwanted' | 'later'

/** Which files of a source are kept in step. */
export interface Selection {
  readonly scope: ListScope
  /** Whether the file belongs to what is kept in step, now or at another time. No other file is ever deleted. */
  readonly covers: (key: string) => boolean
  /** Only of what is covered. Once `unwanted` by its age a file stays so. */
  readonly judge: (entry: Pick<FileEntry, 'key' | 'modifiedMs'>) => Verdict
  /** Where it is the same as before, the selection is but for the passing of time; what was not wanted then is not now. */
  readonly fingerprint: string
  /** Of the chunks in each folder only so many, the newest, are wanted. */
  readonly newestChunks?: number | undefined
  /** Kept with the state once a round with this selection is complete. */
  readonly remember?: Readonly<Record<string, string>>
}

export interface GenericSelection {
  /** All with none. */
  readonly prefixes?: readonly string[]
  /** All with none. */
  readonly include?: readonly Glob[]
  readonly exclude?: readonly Glob[]
  /** By the time in the path, or else that of the last change. */
  readonly span?: TimeSpan | undefined
  readonly newestChunks?: number | undefined
}

export function select(options: GenericSelection = {}): Selection {
  const { prefixes = [], include = [], exclude = [], span, newestChunks } = options
  const literal = include.map(({ prefix }) => prefix)
  const narrowed = literal.length > 0 && !literal.includes('') ? narrow(prefixes, literal) : prefixes
  const covers = (key: string): boolean =>
    (prefixes.length === 0 || prefixes.some((prefix) => key.startsWith(prefix))) &&
    (include.length === 0 || anyMatches(include, key)) &&
    !anyMatches(exclude, key)
  const enters = (folder: string): boolean =>
    (prefixes.length === 0 || prefixes.some((prefix) => prefix.startsWith(folder) || folder.startsWith(prefix))) &&
    (include.length === 0 || include.some((pattern) => pattern.reaches(folder))) &&
    !exclude.some((pattern) => pattern.swallows(folder))
  return {
    scope: { ...(narrowed.length > 0 && { prefixes: narrowed }), enters },
    covers,
    judge: ({ key, modifiedMs }) =>
      span === undefined || isWithin(timeOfPath(key) ?? { startMs: modifiedMs, endMs: modifiedMs + 1 }, span)
        ? 'wanted'
        : 'unwanted',
    fingerprint: JSON.stringify([
      prefixes,
      include.map(({ text }) => text),
      exclude.map(({ text }) => text),
      span?.name,
      newestChunks,
    ]),
    newestChunks,
  }
}

/** What starts with one of both. */
function narrow(prefixes: readonly string[], literal: readonly string[]): readonly string[] {
  if (prefixes.length === 0) return [...new Set(literal)]
  const both = prefixes.flatMap((prefix) =>
    literal.flatMap((one) => (one.startsWith(prefix) ? [one] : prefix.startsWith(one) ? [prefix] : [])),
  )
  // With nothing in common nothing is chosen, which a list of no prefixes would not say.
  return both.length > 0 ? [...new Set(both)] : prefixes
}
