import type { ReloadRequest } from '../core/api.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { baseOf, type Desired } from '../core/release.ts'
import { strategyOf } from '../core/rollout/strategy.ts'
import type { Strategy } from '../core/rollout.ts'
import type { Found } from '../rollout/rollouts.ts'
import type { StartRequest } from '../rollout/start.ts'
import type { Head } from './history.ts'
import type { MakeDeps } from './make-release.ts'
import { effectsOf, requestsOf } from './requests.ts'

/** How something goes out, and who wants it. */
export interface Out {
  /** Over what the policy of the tree says. */
  readonly strategy: Partial<Strategy>
  readonly author: string
}

/** A release that was taken back, once more. */
export async function rollOutAgain(deps: MakeDeps, tree: string, number: number, out: Out, op: Op): Promise<Found> {
  const head = await requireHead(deps, tree, op)
  const record = await deps.history.get(tree, number, op)
  if (number <= head.number || baseOf(record) !== head.number) {
    throw new FlotillaError('BAD_REQUEST', `r${number} is not the next step from r${head.number}, which is served`, {
      hint: 'Release its contents anew, or go back to it with `flotilla rollback`.',
    })
  }
  const changes = await deps.differences.between(head, await deps.history.load(tree, number, op), op)
  const effects = Object.fromEntries(changes.map(({ id, effect }) => [id, effect]))
  return start(deps, head, out, { release: { release: number, manifest: record.manifest }, effects }, op)
}

/** Something that every node does once more, one wave after the other. */
export async function rollOutRequests(
  deps: MakeDeps,
  tree: string,
  request: ReloadRequest,
  out: Out,
  op: Op,
): Promise<Found> {
  const head = await requireHead(deps, tree, op)
  const items = await deps.differences.items(head, op)
  const { author } = out
  if (request.kind === 'flush-logs')
    throw new FlotillaError('BAD_REQUEST', 'flush-logs needs no waves: ask for it alone')
  const requests = requestsOf({ tree, items, author, atMs: deps.clock.nowMs() }, request)
  return start(deps, head, out, { release: head.desired, requests, effects: effectsOf(requests, items) }, op)
}

type Ground = Head & { readonly name: string; readonly desired: Desired }

async function requireHead({ history }: MakeDeps, name: string, op: Op): Promise<Ground> {
  const head = await history.head(name, op)
  if (head.record === undefined) throw new FlotillaError('NOT_FOUND', `nothing has been released in ${name} yet`)
  return { ...head, name, desired: { release: head.number, manifest: head.record.manifest } }
}

async function start(
  { rollouts, differences }: MakeDeps,
  { name, desired, revision, manifest }: Ground,
  { strategy, author }: Out,
  what: Pick<StartRequest, 'release' | 'effects' | 'requests'>,
  op: Op,
): Promise<Found> {
  const { drains } = differences.kind(manifest.kind)
  const full = (await rollouts.strategy(name, strategy, op)) ?? strategyOf(strategy)
  return rollouts.start({ tree: name, from: { ...desired, revision }, strategy: full, author, drains, ...what }, op)
}
