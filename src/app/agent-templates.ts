import type { Memory } from '../agent/memory.ts'
import type { AgentConfig } from '../config/agent.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'

export interface TemplatesDeps {
  readonly store: Store
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Says something of this node to the cluster. */
  readonly tell: (key: string, value: { readonly atMs: number }) => void
}

export interface TemplateServices {
  readonly services: readonly Service[]
  /** Looks at every file now, and tries again what was refused. */
  readonly look: () => void
}

/** Keeps the files that templates make on this node. What that takes is loaded only where there is one. */
export async function templatesOf(config: AgentConfig, deps: TemplatesDeps): Promise<TemplateServices> {
  if (Object.keys(config.templates).length === 0) return { services: [], look: () => undefined }
  const { keeperOf } = await import('./template-keeper.ts')
  return await keeperOf(config, deps)
}
