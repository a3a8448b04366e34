import { erddapConfigSchema } from './erddap/config.ts'
import { erddapTarget } from './erddap/target.ts'

/** Every kind of target a node can keep in step: the shape of its options, and how it is made of them. */
export const targets = {
  erddap: { schema: erddapConfigSchema, create: erddapTarget },
} as const
