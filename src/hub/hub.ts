import type { FastifyInstance } from 'fastify'
import type { BusHealth } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import { Barriers } from '../coordination/barriers.ts'
import { Board } from '../coordination/board.ts'
import { Claims } from '../coordination/claims.ts'
import { Waits } from '../coordination/waits.ts'
import { FirstAnswers } from '../lib/once.ts'
import { Profiles } from '../profiles/profiles.ts'
import { Schemas } from '../profiles/schemas.ts'
import type { BlobStore } from '../releases/blobs.ts'
import { Bundles } from '../releases/bundle.ts'
import type { FolderFollower } from '../releases/follow.ts'
import type { Releases } from '../releases/releases.ts'
import { buildApp } from './app.ts'
import { ensureSecret } from './bootstrap.ts'
import type { HubContext } from './context.ts'
import type { FencedStore } from './fenced-store.ts'
import { LeaseSeal } from './lease-seal.ts'
import { HUB_LIMITS, type HubLimits } from './limits.ts'
import { listen, type Listening, stopListening, unusedConnections } from './listening.ts'
import { createMetrics } from './metrics.ts'
import { NodeQuota } from './node-quota.ts'
import { renderDocument } from './openapi.ts'
import { RateLimit } from './rate-limit.ts'
import type { Face } from './route.ts'
import { listenSecurely, type SecureAddress, type SecureDeps, type SecureListening } from './secure-listener.ts'
import { TokenIndex } from './token-index.ts'
import { TokenUses } from './token-uses.ts'
import { WaitPlaces } from './wait-places.ts'
import { WatchSlots } from './watch-slots.ts'

export interface HubOptions {
  /** The one that `releases` has too: a fence holds for what both commit. */
  readonly store: FencedStore
  readonly blobs: BlobStore
  readonly releases: Releases
  readonly clock: Clock
  readonly log: Logger
  /** The folders that this process follows, for the status and for looks on demand; none unless given. */
  readonly followers?: readonly FolderFollower[] | undefined
  /** How the bus is that carries hints to the nodes, for the status; undefined where there is none. */
  readonly bus?: (() => BusHealth | undefined) | undefined
  /** Names that clients may call this hub by, beside addresses, `localhost` and the machine's own name. */
  readonly hostNames?: readonly string[] | undefined
  readonly limits?: Partial<HubLimits> | undefined
  /** What it answers to besides its own API. */
  readonly faces?: readonly Face[] | undefined
}

export interface Hub {
  /** For requests without a network, in tests. */
  readonly app: FastifyInstance
  /** Port 0 takes any that is free. Rejects with `PORT_TAKEN`. */
  listen(address: { readonly host: string; readonly port: number }): Promise<Listening>
  /** The same over TLS, of what lies below a prefix. */
  listenSecurely(address: SecureAddress): Promise<Listening>
  /** Ends watches, lets requests under way finish, then stops. The store is left open. */
  close(): Promise<void>
}

const JOIN_WINDOW_MS = 600_000
const MINUTE_MS = 60_000

/** The HTTP API over a store. Any number of hubs may serve one store: a hub keeps nothing of its own. */
export async function createHub(options: HubOptions): Promise<Hub> {
  const { store, clock, log } = options
  const closing = new AbortController()
  const limits = { ...HUB_LIMITS, ...options.limits }
  const watches = new WatchSlots({ perToken: limits.watchesPerToken, total: limits.watches })
  const rate = (limit: number, windowMs: number): RateLimit => new RateLimit({ limit, windowMs, clock })
  const board = new Board({ store, clock, log })
  const schemas = new Schemas()
  const answers = new FirstAnswers(store, () => clock.monotonicMs())
  let document = ''
  const context: HubContext = {
    store,
    profiles: new Profiles({ store, clock, answers, schemas }),
    schemas,
    answers,
    blobs: options.blobs,
    bundles: new Bundles(options.blobs),
    releases: options.releases,
    followers: options.followers ?? [],
    bus: options.bus ?? (() => undefined),
    clock,
    log,
    limits,
    watches,
    tokens: new TokenIndex({ store, clock, log }),
    uses: new TokenUses({ store, clock, log }),
    leases: new LeaseSeal(await ensureSecret(store, keys.secret('leases'))),
    leaseGrants: rate(limits.leasesPerMinute, MINUTE_MS),
    claimGrants: rate(limits.claimsPerMinute, MINUTE_MS),
    board,
    claims: new Claims({ store, clock, board }),
    barriers: new Barriers({ store, clock, board }),
    valueWaits: new Waits(board),
    waits: new WaitPlaces({ limits, closing: closing.signal }),
    joins: rate(limits.joinGuesses, JOIN_WINDOW_MS),
    joinsByAddress: rate(limits.joinGuessesPerAddress, JOIN_WINDOW_MS),
    nodeQuota: new NodeQuota({ store, clock, keys: limits.nodeKeys, chars: limits.nodeChars }),
    metrics: await createMetrics({ store, openWatches: () => watches.open }),
    openApi: () => (document ||= renderDocument(app)),
    closing: closing.signal,
  }
  const hostNames = new Set(options.hostNames?.map((name) => name.toLowerCase()))
  const app = await buildApp(context, hostNames, options.faces)
  const unused = unusedConnections(app.server)
  const following = Promise.all([
    context.tokens.run(closing.signal),
    context.uses.run(closing.signal),
    board.run(closing.signal),
  ])
  const secure: SecureListening[] = []
  return {
    app,
    listen: async ({ host, port }) => {
      hostNames.add(host.toLowerCase())
      return listen(app, host, port)
    },
    listenSecurely: async (address) => {
      hostNames.add(address.host.toLowerCase())
      const listening = await listenSecurely(address, { app, limits, clock, upgrade: upgradeOf(options, context) })
      secure.push(listening)
      return listening
    },
    close: async () => {
      closing.abort(new FlotillaError('NOT_READY', 'the hub is stopping', { hint: 'Try again in a moment.' }))
      const closed = secure.map((listening) => listening.close(limits.closeMs))
      await Promise.all([stopListening(app, unused, clock, limits.closeMs), ...closed])
      await following
    },
  }
}

/** The first face that speaks another protocol has all connections for it. */
function upgradeOf({ faces = [] }: HubOptions, context: HubContext): SecureDeps['upgrade'] {
  const [upgrade] = faces.flatMap((face) => face.upgrade ?? [])
  return async (request, socket, head) => {
    if (upgrade === undefined) socket.destroy()
    else await upgrade(context, request, socket, head)
  }
}

/** The API's document, made without a store or a network: docs/reference/openapi.json. */
export async function openApiDocument(): Promise<string> {
  const app = await buildApp(undefined, new Set())
  await app.ready()
  const text = renderDocument(app)
  await app.close()
  return text
}
