import type { PendingRequest } from '../../../core/release.ts'
import { spoken } from '../definition/names.ts'
import type { Done, Prepared } from './model.ts'
import type { NodeState } from './node-state.ts'
import { isDrawn } from './tiles.ts'

export interface WantedRequests {
  /** Reloads of the whole catalog. */
  readonly reloads: readonly Done[]
  readonly resets: readonly Done[]
  readonly truncates: { readonly layers: readonly string[]; readonly done: readonly Done[] }
  /** Those that ask for nothing here. */
  readonly needless: readonly Done[]
}

/**
 * What people asked to be done once more, and this node has not done yet. Pure. `reload` with the flag `hard` reads the catalog anew,
 * without it GeoServer gives up what it holds of stores and graphics; `clear-cache` truncates the tiles of a layer, or of all.
 */
export function wantedRequests({ requests, entries }: Prepared, state: NodeState): WantedRequests {
  const [reloads, resets, needless] = [[] as Done[], [] as Done[], [] as Done[]]
  const truncates = { layers: [] as string[], done: [] as Done[] }
  for (const request of requests) {
    const done = doneOf(request)
    if (isDone(done, state)) continue
    const { kind, item, flag } = request
    if (kind === 'clear-cache') {
      truncates.layers.push(...layersOf(item, entries))
      truncates.done.push(done)
    } else if (kind !== 'reload') needless.push(done)
    else if (flag === 'hard') reloads.push(done)
    else resets.push(done)
  }
  return { reloads, resets, truncates, needless }
}

function layersOf(item: string, entries: Prepared['entries']): readonly string[] {
  const keys = item === '*' ? [...entries.keys()] : [item]
  return keys.filter((key) => entries.has(key) && isDrawn(key)).map(spoken)
}

function doneOf({ kind, item, generation, atMs, pinned }: PendingRequest): Done {
  const name = `${kind}/${item}`
  return { request: pinned === true ? `pin ${name}` : name, generation, atMs: Number.isFinite(atMs) ? atMs : 0 }
}

/** A store that was restored from a copy gives newer requests older generations: those are told by their time. */
function isDone({ request, generation, atMs }: Done, { requests }: NodeState): boolean {
  const last = requests.get(request)
  return last !== undefined && generation <= last.generation && atMs <= last.atMs
}
