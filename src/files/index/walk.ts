import { type FileStat, KEY_BYTES_MAX } from '../../core/files/entry.ts'
import { OWN_PREFIX, pathKey } from '../../lib/safe-path.ts'
import { type Folder, toStat } from './folder.ts'
import type { Places } from './places.ts'
import { type Sight, unseen } from './sight.ts'

/** A file, or a folder that could not be seen into: what it holds is as unknown as before. */
export type Step =
  | { readonly key: string; readonly path: string; readonly stat: FileStat }
  | { readonly unknown: string; readonly why?: string }

export interface WalkOptions {
  readonly sight: Sight
  readonly places: Places
  /** Called before a folder is listed. */
  readonly onFolder: (path: string) => void
  /** A link leads to another generation than before: that is to be taken over as a whole. */
  readonly onFlip: (path: string) => void
}

/** Deeper than any key reaches; each level holds a descriptor. */
const DEPTH_MAX = 520
/** Of so many characters a path is short enough for a key whatever they are. */
const PLAIN_LENGTH = KEY_BYTES_MAX / 3

interface Level {
  readonly path: string
  readonly folder: Folder
  readonly names: readonly string[]
  /** Nothing on the way to it is escaped. */
  readonly isPlain: boolean
  next: number
}

/**
 * The files below `start`, in the order of their keys but for escaped ones. Looks at each when it is asked for the next. Must be iterated
 * to its end, or returned. Throws only where `start` is the root and cannot be seen into.
 */
export function* walk(start: string, options: WalkOptions): Generator<Step, void> {
  const levels: Level[] = []
  try {
    yield* enter(start, undefined, levels, options)
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names[level.next++]
      if (name === undefined) {
        level.folder.close()
        levels.pop()
        continue
      }
      const step = name.endsWith('/') ? undefined : fileAt(level, name)
      if (step !== undefined) yield step
      else if (name.endsWith('/')) yield* descend(level, name.slice(0, -1), levels, options)
    }
  } finally {
    for (const { folder } of levels) folder.close()
  }
}

function fileAt(level: Level, name: string): Step | undefined {
  const path = joined(level.path, name)
  // Asking for the key of every file of millions takes as long as looking at it.
  const isKey = level.isPlain && path.length <= PLAIN_LENGTH && !name.startsWith(OWN_PREFIX)
  const key = isKey ? path : pathKey(path)
  if (key === undefined) return undefined
  try {
    const stats = level.folder.look(name)
    return stats?.isFile() === true ? { key, path, stat: toStat(stats) } : undefined
  } catch (error) {
    const seen = unseen(error)
    return seen.kind === 'unknown' ? { unknown: key, why: seen.why } : undefined
  }
}

function* descend(level: Level, name: string, levels: Level[], options: WalkOptions): Generator<Step, void> {
  const path = joined(level.path, name)
  const { sight } = options
  try {
    const stats = level.folder.look(name)
    if (stats === undefined) return
    if (!stats.isSymbolicLink()) {
      sight.follow(path, undefined)
    } else {
      const seen = sight.generation(path, level.folder.link(name))
      if (seen.kind !== 'generation') return
      const before = sight.followed(path)
      if (before !== undefined && before !== seen.real) {
        options.onFlip(path)
        yield { unknown: keyPrefix(path) ?? path }
        return
      }
      sight.follow(path, seen.real)
    }
  } catch (error) {
    const seen = unseen(error)
    if (seen.kind === 'unknown') yield { unknown: keyPrefix(path) ?? path, why: seen.why }
    return
  }
  yield* enter(path, level.folder.device, levels, options)
}

function* enter(path: string, above: number | undefined, levels: Level[], options: WalkOptions): Generator<Step, void> {
  if (levels.length >= DEPTH_MAX) return
  let folder: Folder | undefined
  try {
    options.onFolder(path)
    folder = options.sight.open(path)
    const names = folder.names()
    if (options.places.believes(path, folder, above, names.length === 0)) {
      levels.push({ path, folder, names, isPlain: path === '' || keyPrefix(path) === `${path}/`, next: 0 })
      return
    }
    folder.close()
    yield {
      unknown: keyPrefix(path) ?? path,
      why: `${path === '' ? 'the folder' : path} is empty and not the one it was: not mounted?`,
    }
  } catch (error) {
    folder?.close()
    if (path === '') throw error
    const seen = unseen(error)
    if (seen.kind === 'unknown') yield { unknown: keyPrefix(path) ?? path, why: seen.why }
  }
}

/** What the keys of everything in a folder start with; undefined where no key can be in it. */
export function keyPrefix(path: string): string | undefined {
  return path === '' ? '' : pathKey(`${path}/x`)?.slice(0, -1)
}

function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}
