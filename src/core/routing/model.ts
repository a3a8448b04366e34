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
  /** The release it proves it serves; 0 for none. */
  readonly revision: number
  /** Items it gets no new requests for: drained, loading, failed, or behind the others. */
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
