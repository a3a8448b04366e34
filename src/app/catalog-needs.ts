import type { Op } from '../core/op.ts'
import type { FileTree, TreeItem } from '../core/tree.ts'
import { classify } from '../targets/geoserver/definition/classify.ts'
import { Overlay } from '../targets/geoserver/definition/overlay.ts'
import { isPlain, readPortable } from '../targets/geoserver/definition/portable.ts'

/** What an object of a release cannot do without. */
export interface Needs {
  /** In the order in which they are needed; `path` is absent for what the release does not have. */
  readonly objects: readonly { readonly key: string; readonly neededBy: string; readonly path?: string }[]
  /** Data that is read, as the store says it, such as `file:data/states.shp`. Data is in no release. */
  readonly data: readonly { readonly source: string; readonly readBy: string }[]
}

/** A group may hold everything there is. */
const OBJECTS_MAX = 500

/** Everything that it needs, and what that needs in turn. Reads these files only. */
export async function needsOf(key: string, tree: FileTree, items: readonly TreeItem[], op: Op): Promise<Needs> {
  const paths = new Map(items.map(({ id, path }) => [id, path]))
  const objects: Needs['objects'][number][] = []
  const data: Needs['data'][number][] = []
  const seen = new Set([key])
  const queue = [key]
  for (const user of queue) {
    const path = paths.get(user)
    const entry = path === undefined ? undefined : await entryAt(path, tree, op)
    for (const source of entry?.data ?? []) data.push({ source, readBy: user })
    for (const need of entry?.needs ?? []) {
      if (seen.has(need) || objects.length === OBJECTS_MAX) continue
      seen.add(need)
      queue.push(need)
      const at = paths.get(need)
      objects.push({ key: need, neededBy: user, ...(at !== undefined && { path: at }) })
    }
  }
  return { objects, data }
}

async function entryAt(path: string, tree: FileTree, op: Op) {
  const place = classify(path)
  if (place.class === undefined || isPlain(place, path)) return undefined
  const read = readPortable(path, await tree.read(path, op), new Overlay())
  return 'entry' in read ? read.entry : undefined
}
