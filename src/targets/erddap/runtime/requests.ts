import type { PendingRequest } from '../../../core/release.ts'
import type { Actual, Done, Prepared } from './model.ts'
import type { FlagKind } from './node-state.ts'

export interface WantedRequests {
  /** Loads that are asked for; each has at least one dataset. */
  readonly reloads: readonly Reload[]
  readonly cache: { readonly ids: readonly string[]; readonly done: readonly Done[] }
  /** Those that ask for nothing here. */
  readonly needless: readonly Done[]
}

export interface Reload extends Done {
  readonly flag: FlagKind
  readonly ids: readonly string[]
}

/** What people asked to be done once more, and this node has not done yet. Pure. */
export function wantedRequests(prepared: Prepared, actual: Actual): WantedRequests {
  const reloads: Reload[] = []
  const needless: Done[] = []
  const cache = { ids: [] as string[], done: [] as Done[] }
  for (const request of prepared.requests) {
    const { kind, item, flag = 'soft' } = request
    const done = doneOf(request)
    if (isDone(done, actual)) continue
    const ids = idsOf(item, prepared)
    if (kind === 'flush-logs') {
      // Its status page writes log.txt out, and every look at it asks for that page. One that is down has written it.
      if (!isSilent(actual)) needless.push(done)
    } else if (kind === 'clear-cache') {
      cache.ids.push(...ids)
      cache.done.push(done)
    } else if (ids.length === 0 || (flag === 'soft' && actual.application.is === 'down')) {
      // An ERDDAP that starts loads everything; its stored indexes it goes on using.
      needless.push(done)
    } else {
      reloads.push({ ...done, flag, ids })
    }
  }
  return { reloads, cache, needless }
}

function doneOf({ kind, item, generation, atMs, pinned }: PendingRequest): Done {
  const name = `${kind}/${item}`
  return { request: pinned === true ? `pin ${name}` : name, generation, atMs: Number.isFinite(atMs) ? atMs : 0 }
}

/** A store that was restored from a copy gives newer requests older generations: those are told by their time. */
function isDone({ request, generation, atMs }: Done, { state }: Actual): boolean {
  const last = state.requests.get(request)
  return last !== undefined && generation <= last.generation && atMs <= last.atMs
}

/** It answers, yet not with its status page. */
function isSilent({ application }: Actual): boolean {
  return application.is === 'up' && application.status === undefined
}

function idsOf(item: PendingRequest['item'], { datasets }: Prepared): readonly string[] {
  if (item === '*') return [...datasets.values()].filter(({ active }) => active).map(({ id }) => id)
  return datasets.get(item)?.active === true ? [item] : []
}
