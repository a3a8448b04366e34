import type { Memory } from '../agent/memory.ts'
import type { AgentConfig } from '../config/agent.ts'
import type { Clock } from '../core/clock.ts'
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
  if (Object.keys(config.proxies).length === 0) return []
  const { keepersOf } = await import('./proxy-keepers.ts')
  return await keepersOf(config, deps)
}
