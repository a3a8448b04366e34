import { STORE_LIMITS } from '../core/store.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Everything a client can ask of a hub has a limit. Sizes are of bodies as they come over the wire. */
export interface HubLimits {
  /** JSON bodies, where a route does not say otherwise. */
  readonly bodyBytes: number
  readonly commitBytes: number
  readonly releaseBytes: number
  readonly releaseFiles: number
  readonly blobBytes: number
  /** One file pushed by itself; it is held in memory while it is checked. */
  readonly fileBytes: number
  /** What one node may hold in the store. */
  readonly nodeKeys: number
  readonly nodeChars: number
  readonly jsonDepth: number
  /** Members of objects and elements of arrays in one body, all together. */
  readonly jsonMembers: number
  readonly connections: number
  /** The request's line and headers together. */
  readonly headerBytes: number
  readonly headersMs: number
  /** For receiving a whole request, uploads included. */
  readonly requestMs: number
  readonly keepAliveMs: number
  /** How long a connection may carry nothing, both ways, while a request is answered: its client takes nothing. */
  readonly idleMs: number
  /** Of one token; one more ends its oldest, which most likely is a connection that died unseen. */
  readonly watchesPerToken: number
  readonly watches: number
  /** Every watch says something at least this often. */
  readonly heartbeatMs: number
  /** How long a watch waits for a reader that takes nothing. */
  readonly stalledMs: number
  readonly leasesPerMinute: number
  /** Claims and arrivals of one token, most of which take a lease along. */
  readonly claimsPerMinute: number
  /** How long a request may wait for something. */
  readonly waitMs: number
  readonly waiters: number
  readonly waitersPerToken: number
  readonly joinCodeMs: number
  readonly joinCodes: number
  /** Wrong join codes in ten minutes before an address, and before everybody, is locked out for the rest of them. */
  readonly joinGuessesPerAddress: number
  readonly joinGuesses: number
  /** How long requests may take to finish when the hub closes. */
  readonly closeMs: number
}

export const HUB_LIMITS: HubLimits = {
  bodyBytes: MIB,
  // A character of a value may take six bytes in JSON (`\u0000`); a key and its field names take less than 600.
  commitBytes: 6 * STORE_LIMITS.txnBytes + 600 * (STORE_LIMITS.changes + STORE_LIMITS.expectations),
  releaseBytes: 32 * MIB,
  releaseFiles: 50_000,
  blobBytes: 1024 * MIB,
  fileBytes: 64 * MIB,
  nodeKeys: 1000,
  nodeChars: 32 * MIB,
  jsonDepth: 32,
  jsonMembers: 20_000,
  connections: 12_000,
  headerBytes: 16 * KIB,
  headersMs: 10_000,
  requestMs: 300_000,
  keepAliveMs: 30_000,
  idleMs: 300_000,
  watchesPerToken: 64,
  watches: 4000,
  heartbeatMs: 5000,
  stalledMs: 30_000,
  leasesPerMinute: 120,
  claimsPerMinute: 12_000,
  waitMs: 240_000,
  waiters: 10_000,
  waitersPerToken: 6000,
  joinCodeMs: 600_000,
  joinCodes: 100,
  joinGuessesPerAddress: 10,
  joinGuesses: 200,
  closeMs: 10_000,
}
