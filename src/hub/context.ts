import type { BusHealth } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { FirstAnswers } from '../lib/once.ts'
import type { Barriers } from '../coordination/barriers.ts'
import type { Board } from '../coordination/board.ts'
import type { Claims } from '../coordination/claims.ts'
import type { Waits } from '../coordination/waits.ts'
import type { Profiles } from '../profiles/profiles.ts'
import type { Schemas } from '../profiles/schemas.ts'
import type { BlobStore } from '../releases/blobs.ts'
import type { Bundles } from '../releases/bundle.ts'
import type { FolderFollower } from '../releases/follow.ts'
import type { Releases } from '../releases/releases.ts'
import type { FencedStore } from './fenced-store.ts'
import type { LeaseSeal } from './lease-seal.ts'
import type { HubLimits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import type { NodeQuota } from './node-quota.ts'
import type { RateLimit } from './rate-limit.ts'
import type { TokenIndex } from './token-index.ts'
import type { TokenUses } from './token-uses.ts'
import type { WaitPlaces } from './wait-places.ts'
import type { WatchSlots } from './watch-slots.ts'

/** What the routes work with. */
export interface HubContext {
  readonly store: FencedStore
  readonly profiles: Profiles
  readonly schemas: Schemas
  /** To requests with an `Idempotency-Key`. */
  readonly answers: FirstAnswers
  readonly blobs: BlobStore
  readonly bundles: Bundles
  readonly releases: Releases
  readonly followers: readonly FolderFollower[]
  readonly bus: () => BusHealth | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly limits: HubLimits
  readonly tokens: TokenIndex
  readonly uses: TokenUses
  readonly leases: LeaseSeal
  readonly leaseGrants: RateLimit
  readonly claimGrants: RateLimit
  readonly board: Board
  readonly claims: Claims
  readonly barriers: Barriers
  readonly valueWaits: Waits
  readonly waits: WaitPlaces
  readonly joinsByAddress: RateLimit
  readonly joins: RateLimit
  readonly nodeQuota: NodeQuota
  readonly watches: WatchSlots
  readonly metrics: Metrics
  /** The API's document, as JSON. */
  readonly openApi: () => string
  /** Aborted when the hub stops: ends watches, and answers new requests with `NOT_READY`. */
  readonly closing: AbortSignal
}
