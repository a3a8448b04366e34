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
}

/**
 * A proxy on this machine. `apply` is idempotent, and either brings all of the table into force or rejects and leaves the
 * last good one there. What it says of `how`: nothing to do, told at run time, or the configuration was read anew.
 */
export interface ProxyDriver {
  readonly kind: 'nginx' | 'haproxy'
  /** The files it would write, by path, for `proxy render`. Pure. */
  render(table: RoutingTable): ReadonlyMap<string, string>
  apply(
    table: RoutingTable,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<{
    readonly how: 'unchanged' | 'told' | 'reloaded'
  }>
}
