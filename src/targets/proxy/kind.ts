import type { z } from 'zod'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { ProxyDriver } from '../../core/routing/model.ts'

export interface ProxyDeps {
  readonly clock: Clock
  readonly log: Logger
}

/** One kind of proxy. */
export interface ProxyKind<S extends z.ZodType> {
  readonly schema: S
  readonly create: (config: z.output<S>, deps: ProxyDeps) => Promise<ProxyDriver>
}
