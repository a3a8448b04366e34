import type { Route } from './route.ts'
import { blobRoutes } from './routes/blobs.ts'
import { fileRoutes } from './routes/files.ts'
import { healthRoutes } from './routes/health.ts'
import { leaseRoutes } from './routes/leases.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { historyRoutes, releaseRoutes } from './routes/releases.ts'
import { storeRoutes } from './routes/store.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { watchRoutes } from './routes/watch.ts'

/** Everything the hub answers to. */
export const ROUTES: readonly Route[] = [
  ...healthRoutes,
  ...nodeRoutes,
  ...releaseRoutes,
  ...historyRoutes,
  ...fileRoutes,
  ...blobRoutes,
  ...tokenRoutes,
  ...storeRoutes,
  ...watchRoutes,
  ...leaseRoutes,
]
