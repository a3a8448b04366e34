import { compareKeys } from '../../core/files/entry.ts'

export interface Folders {
  folders(prefix: string, after: string, signal: AbortSignal): Promise<readonly string[]>
}

const DEPTH_MAX = 5
const ASKED_MAX = 16

/**
 * Up to `pieces` places, ascending and after `after`, that cut the rest of a listing into pieces: names of folders, found by looking into
 * ever deeper ones until there are enough. They need not be even, and any are correct.
 */
export async function splitPoints(
  source: Folders,
  prefix: string,
  after: string,
  pieces: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = new Set<string>()
  let level: readonly string[] = [prefix]
  for (let depth = 0; depth < DEPTH_MAX && found.size < pieces && level.length > 0; depth++) {
    const asked = evenly(level, ASKED_MAX)
    const answers = await Promise.all(asked.map((folder) => source.folders(folder, after, signal)))
    level = answers.flat().filter((folder) => folder.startsWith(prefix) && !found.has(folder))
    for (const folder of level) found.add(folder)
  }
  const points = [...found].filter((folder) => compareKeys(folder, after) > 0).toSorted(compareKeys)
  return evenly(points, pieces)
}

function evenly<T>(list: readonly T[], count: number): readonly T[] {
  if (list.length <= count) return list
  return Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)] as T)
}
