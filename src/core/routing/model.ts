/*
 * Where a request goes. `keyOf` names what a URL asks for, `placement` gives each key its owners, and what a proxy does
 * in a request is no more than to look both up. The proxies' own rules are tested against these functions.
 */

/** Which forms of URLs are understood, and where: the first rule that fits gives the key. */
export type KeyRule =
  | { readonly system: 'erddap'; readonly base: string }
  | { readonly system: 'geoserver'; readonly base: string }
  | { readonly system: 'openmeteo'; readonly base: string }
  /** The part of the path after `base`, up to the next slash. */
  | { readonly system: 'path'; readonly base: string }
  /** A user's own: a regular expression over the decoded path, whose first group is the key. */
  | { readonly system: 'rule'; readonly name: string; readonly pattern: string }

export interface Backend {
  readonly node: string
  /** Never given to another node of the cluster: proxies hash by it. 1 to 2^31-1. */
  readonly id: number
  readonly host: string
  readonly port: number
  /** 1 to 256; 100 is usual. */
  readonly weight: number
  readonly state: 'up' | 'drained' | 'down'
  /** Items it gets no new requests for: drained, failed or not served there. */
  readonly without: ReadonlySet<string>
}

export interface PlacementOptions {
  /** No node owns more than this times the mean of keys, by weight; 1.25 is usual. */
  readonly bound: number
  /** Owners of each key, in the order they are tried. */
  readonly depth: number
  /** Keys that are asked for so often that requests are spread over that many nodes. */
  readonly hot: ReadonlyMap<string, 2 | 3 | 4>
}

/** Owners of each key, first choice first, by node. Keys that are not in it are for the proxy's own hash. */
export type Placement = ReadonlyMap<string, readonly string[]>

/** All that a proxy is told. Equal tables are equal text, whatever order the store gave things in. */
export interface RoutingTable {
  /** The store's revision that it was made from. */
  readonly asOf: number
  /**
   * What `X-Data-Revision` says: the release that clients see, one number for the cluster. It moves when a rollout is exposed;
   * items that do not differ are the same in both, so it is true of every node that may answer.
   */
  readonly revision: number
  readonly rules: readonly KeyRule[]
  /** Sorted by node. */
  readonly backends: readonly Backend[]
  readonly placement: Placement
  /** Where requests go that must reach every node, such as `setDatasetFlag.txt`: `host:port` of an agent. */
  readonly everyNode: string | undefined
  /** Keys of which the first so many owners that may answer share the requests; each client stays with one of them. */
  readonly hot?: ReadonlyMap<string, 2 | 3 | 4>
  /** Networks, `10.0.0.0/8`, of which no client is answered but with 403: what is blocked and ERDDAP cannot be told of. Sorted. */
  readonly blocked?: readonly string[]
}

/**
 * What an answer says of where it comes from. The proxy sets both itself: whatever a client or a node sends under these
 * names goes no further.
 */
export const ROUTE_HEADERS = { servedBy: 'X-Served-By', revision: 'X-Data-Revision' } as const

/** Behind the node's name in `X-Served-By`, where every better owner was away: `erd2; last-resort`. */
export const LAST_RESORT = '; last-resort'

/** Under these a proxy or an application takes orders: they never reach a node from a client, nor a client from a node. */
export const INTERNAL_HEADERS = [
  ROUTE_HEADERS.servedBy,
  ROUTE_HEADERS.revision,
  'X-Accel-Redirect',
  'X-Accel-Buffering',
  'X-Accel-Charset',
  'X-Accel-Expires',
  'X-Accel-Limit-Rate',
  'X-Sendfile',
  'X-Original-URL',
  'X-Rewrite-URL',
  // ERDDAP believes it before anything else when it looks for the client's address.
  'True-Client-IP',
] as const

/**
 * A proxy on this machine. `apply` is idempotent, and either brings all of the table into force or rejects and leaves the
 * last good one there. What it says of `how`: nothing to do, told at run time, or the configuration was read anew.
 * A table that differs in nothing but `asOf` is nothing to do. Calls never overlap: whoever has a newer table waits.
 */
export interface ProxyDriver {
  readonly kind: 'nginx' | 'haproxy'
  /** The files it would write, by path, for `proxy render`. Pure. */
  render(table: RoutingTable): ReadonlyMap<string, string>
  /** Lets the proxy's own program judge those files, and changes nothing. Rejects with `PROXY_REFUSED` and its words. */
  check(table: RoutingTable, options: { readonly signal?: AbortSignal | undefined }): Promise<void>
  apply(
    table: RoutingTable,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<{
    readonly how: 'unchanged' | 'told' | 'reloaded'
  }>
}
