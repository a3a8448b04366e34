import type { Route } from './route.ts'
import { barrierRoutes } from './routes/barriers.ts'
import { blobRoutes } from './routes/blobs.ts'
import { catalogRoutes } from './routes/catalog.ts'
import { electionRoutes, lockRoutes } from './routes/claims.ts'
import { drainRoutes } from './routes/drains.ts'
import { fileRoutes } from './routes/files.ts'
import { healthRoutes } from './routes/health.ts'
import { leaseRoutes } from './routes/leases.ts'
import { listRoutes } from './routes/lists.ts'
import { nodeMetaRoutes } from './routes/node-meta.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { definitionRoutes, profileParamRoutes } from './routes/params.ts'
import { policyRoutes } from './routes/policies.ts'
import { profileRoutes } from './routes/profiles.ts'
import { historyRoutes, releaseRoutes } from './routes/releases.ts'
import { rolloutRoutes } from './routes/rollouts.ts'
import { storeRoutes } from './routes/store.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { waitRoutes } from './routes/waits.ts'
import { watchRoutes } from './routes/watch.ts'

/** Everything the hub answers to. */
export const ROUTES: readonly Route[] = [
  ...healthRoutes,
  ...nodeRoutes,
  ...releaseRoutes,
  ...historyRoutes,
  ...fileRoutes,
  ...catalogRoutes,
  ...rolloutRoutes,
  ...policyRoutes,
  ...drainRoutes,
  ...listRoutes,
  ...blobRoutes,
  ...tokenRoutes,
  ...profileRoutes,
  ...profileParamRoutes,
  ...definitionRoutes,
  ...storeRoutes,
  ...watchRoutes,
  ...leaseRoutes,
  ...electionRoutes,
  ...lockRoutes,
  ...barrierRoutes,
  ...waitRoutes,
  ...nodeMetaRoutes,
]
