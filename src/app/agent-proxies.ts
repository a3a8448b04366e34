import type { Memory } from '../agent/memory.ts'
import type { AgentConfig } from '../config/agent.ts'
import type { Clock } from '../core/clock.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'

export interface ProxiesDeps {
  readonly store: Store
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Says something of this node to the cluster. */
  readonly tell: (key: string, value: { readonly atMs: number }) => void
}

/** Looks after the proxies beside this agent. What that takes is loaded only where there is one. */
export async function proxiesOf(config: AgentConfig, deps: ProxiesDeps): Promise<readonly Service[]> {
  const services = [former(config, deps)]
  if (Object.keys(config.proxies).length === 0) return services
  const { keepersOf } = await import('./proxy-keepers.ts')
  return [...services, ...(await keepersOf(config, deps))]
}

/** Takes back what this node said of proxies that it no longer has: a rollout would wait for them. */
function former({ node, proxies }: AgentConfig, { store }: Pick<ProxiesDeps, 'store'>): Service {
  return {
    name: 'former proxies',
    run: async (signal) => {
      const { entries } = await store.list(keys.proxy(node, ''), { signal })
      const gone = entries.filter(({ key }) => !Object.hasOwn(proxies, parseNodeKey(key)?.tree ?? ''))
      if (gone.length === 0) return
      const expect = gone.map(({ key, revision }) => ({ key, revision }))
      await store.commit({ expect, changes: gone.map(({ key }) => ({ op: 'delete', key })) }, { signal })
    },
  }
}
