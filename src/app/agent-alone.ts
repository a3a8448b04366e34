import type { AgentConfig } from '../config/agent.ts'
import { type HubConfig, hubSchema } from '../config/hub.ts'
import { operationsSchema, operationsTokenFile, ownHubFolder } from '../config/operations.ts'
import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { FolderFollower } from '../releases/follow.ts'
import { type HubDeps, type ReadyHub, runHub } from './hub.ts'

/**
 * A node without a hub is a hub of its own, with one node: the same store, releases and API, in this process and in the node's
 * state folder. So every command and route works on it as on a cluster, and nothing has to be done twice.
 */
export async function withOwnHub<T>(
  config: AgentConfig,
  deps: Omit<HubDeps, 'tokenFile'>,
  use: (hub: ReadyHub) => Promise<T>,
): Promise<T> {
  const { base } = deps
  const stop = new AbortController()
  const { promise: ready, resolve, reject } = Promise.withResolvers<ReadyHub>()
  const hubDeps = { ...deps, signal: stop.signal, tokenFile: operationsTokenFile(config, base) }
  const running = runHub(hubConfig(config, base), hubDeps, (hub) => Promise.resolve(resolve(hub)))
  running.catch(reject)
  try {
    const hub = await ready
    // Not as `tokenFile`: a log shows nothing that sounds like a token.
    deps.log.info('this node has no hub and answers operations itself', { url: hub.url, file: hub.tokenFile })
    return await use(hub)
  } finally {
    stop.abort()
    await running
  }
}

function hubConfig(config: AgentConfig, base: string): HubConfig {
  const { sources, logLevel, operations = operationsSchema.parse({}) } = config
  const { listen, names } = operations
  return { ...hubSchema.parse({}), data: ownHubFolder(config, base), listen, names, sources, logLevel }
}

const LOOK_MS = 100
const AUTHOR = 'folder'

/**
 * Resolves when what stands in each folder has been looked at and is released, or was refused: then the last good release stays.
 * Rejects with why where there is none.
 */
export async function lookedAt(
  { followers, store }: Pick<ReadyHub, 'followers' | 'store'>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  for (const follower of followers) {
    while (!isLookedAt(follower)) await clock.sleep(LOOK_MS, signal)
    const { tree, state } = follower.status()
    if (state === 'released' || (await store.get(keys.desired(tree), { signal })) !== undefined) continue
    await follower.rescan({}, AUTHOR, { signal })
  }
}

function isLookedAt(follower: FolderFollower): boolean {
  const { state } = follower.status()
  return state === 'released' || state === 'refused'
}
