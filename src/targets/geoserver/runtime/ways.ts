import type { CatalogEntry } from '../definition/model.ts'
import { endpointOf } from '../rest/endpoints.ts'
import type { Change, Prepared } from './model.ts'
import type { NodeState } from './node-state.ts'

/**
 * How one change takes effect.
 *
 * - `rest`: the object over REST.
 * - `body`: what a style says, through the style: GeoServer then gives up the tiles drawn with it.
 * - `place`: the file on disk.
 * - `reload`: the file on disk, read by nothing but a reload.
 */
export type Way = 'rest' | 'body' | 'place' | 'reload'

interface Ground {
  readonly prepared: Pick<Prepared, 'entries' | 'byFile'>
  readonly entries: ReadonlyMap<string, CatalogEntry>
  readonly state: Pick<NodeState, 'tried'>
}

export function wayOf(change: Change, ground: Ground): Way {
  const { key, desired, local } = change
  const kind = (desired ?? local)?.class
  if (kind === 'security') return 'reload'
  if (kind === 'style-body') return styleOf(change, ground) === undefined ? 'place' : 'body'
  if (kind !== 'object' && kind !== 'tile-layer') return 'place'
  if (ground.prepared.byFile.has(key) || wasInVain(change, ground)) return 'reload'
  const endpoint = endpointOf(key, (each) =>
    (desired === undefined ? ground.entries : ground.prepared.entries).get(each),
  )
  if (endpoint === undefined || (desired === undefined && endpoint.removal === undefined)) return 'reload'
  return 'rest'
}

/** REST took it, and the file is still another one: a field that a merge does not take away. */
function wasInVain({ key, desired }: Change, { state }: Ground): boolean {
  const tried = state.tried.get(key)
  if (tried?.left === undefined || tried.problem !== undefined) return false
  // What GeoServer made besides was not tried at all.
  const isBesides = tried.desired === '' && tried.before === ''
  return !isBesides && tried.desired === (desired?.digest ?? '')
}

/** The style that has that body here and goes on having it; a style that is made anew reads the file that lies there. */
export function styleOf({ key, desired, local }: Change, { prepared, entries }: Ground): string | undefined {
  if (desired === undefined || local === undefined) return undefined
  for (const [style, { needs }] of entries)
    if (style.startsWith('style/') && needs.includes(key) && prepared.entries.get(style)?.needs.includes(key) === true)
      return style
  return undefined
}
