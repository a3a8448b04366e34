import { FlotillaError, isError } from '../core/errors.ts'
import { closest } from '../lib/closest.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'

/** Runs `use`; where a dataset is not found, says which one was meant. */
export async function withDataset<T>(
  { tree, dataset }: { readonly tree: string; readonly dataset: string },
  hub: Hub,
  { signal }: Context,
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await use()
  } catch (error) {
    if (!isError(error, 'NOT_FOUND')) throw error
    const ids = await idsOf(tree, hub, signal)
    const near = closest(dataset, ids)
    const hint = near === undefined ? 'See them with `flotilla datasets list`.' : `Did you mean "${near}"?`
    throw new FlotillaError('NOT_FOUND', error.message, { ...error.details, hint })
  }
}

async function idsOf(tree: string, hub: Hub, signal: AbortSignal): Promise<readonly string[]> {
  try {
    return (await hub.client.items(tree, undefined, { signal })).items.map(({ id }) => id)
  } catch {
    return []
  }
}
