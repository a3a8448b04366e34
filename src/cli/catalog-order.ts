import type { CatalogProposal, OrderOutcome } from '../core/api-catalog.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { parseDuration } from '../lib/duration.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'

/** Options of commands that tell one node something, and wait for what it says. */
export const WAIT_FOR_NODE = {
  timeout: { type: 'value', placeholder: 'TIME', summary: 'how long to wait for the node at most', fallback: '30s' },
} as const

/** Throws `USAGE`. */
export function waitForNodeMs({ timeout }: { readonly timeout: string }): number {
  const ms = parseDuration(timeout)
  if (ms !== undefined) return ms
  throw new FlotillaError('USAGE', `--timeout takes a time such as 10s or 2m, not "${timeout}"`)
}

/** What came of an order: `waiting` where the node has not told in time. */
export type Followed = Pick<OrderOutcome, 'error'> & { readonly state: OrderOutcome['state'] | 'waiting' }

interface FollowedOrder {
  readonly tree: string
  readonly node: string
  readonly id: string
  readonly timeoutMs: number
}

export async function followOrder(
  { tree, node, id, timeoutMs }: FollowedOrder,
  hub: Hub,
  { output, signal }: Context,
): Promise<Followed> {
  output.progress(`waiting for ${node} …`)
  try {
    const { state, error } = await hub.catalog.outcome(tree, node, id, { timeoutMs, signal })
    return { state, ...(error !== undefined && { error }) }
  } catch (error) {
    if (isError(error, 'NOT_READY')) return { state: 'waiting' }
    throw error
  }
}

const LOOK_MS = 250

/** How it stands with the release of what was adopted: until it is made, is refused, or the time is over. */
export async function followProposal(
  { tree, node, keys, timeoutMs }: Omit<FollowedOrder, 'id'> & { readonly keys: readonly string[] },
  hub: Hub,
  { clock, signal }: Context,
): Promise<CatalogProposal | undefined> {
  const endMs = clock.monotonicMs() + timeoutMs
  for (;;) {
    const { nodes } = await hub.catalog.catalog(tree, { signal })
    const catalog = nodes.find((one) => one.node === node)?.catalog
    const isWaiting = catalog?.differences.some(({ key }) => keys.includes(key)) ?? true
    if (catalog?.proposal.state === 'refused' || !isWaiting || clock.monotonicMs() >= endMs) return catalog?.proposal
    await clock.sleep(LOOK_MS, signal)
  }
}
