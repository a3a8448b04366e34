import type { Decision, Role } from './catalog/three-way.ts'
import type { NodeLiveness } from './api.ts'
import type { Problem } from './problem.ts'

/**
 * What the cluster knows of changes that nodes made by themselves, and what people say to that: requests and answers of the hub's API,
 * and the values in the store that they are made of. Nothing here holds the contents of a file or a password.
 */

/** An object or file on which a node and the release that it looked at do not agree. */
export interface CatalogDifference {
  /** `<kind>/<ws:name>` such as `style/burg` or `layer/topp:states`; otherwise `file/<path>`. */
  readonly key: string
  /** Path in the release. */
  readonly path: string
  readonly decision: Exclude<Decision['do'], 'same'>
  /** SHA-256 of what the node has, and of what the release has, as blobs hold it; absent where there is none. */
  readonly local?: string
  readonly desired?: string
  /** How the node's own differs, for people, at most 5 lines: `title: "A" → "B"`. Passwords are masked. Not of every one. */
  readonly details?: readonly string[]
}

/** How it stands with releases that a node makes of its own changes. */
export interface CatalogProposal {
  /**
   * - `none`: nothing of this node's own waits to be released.
   * - `waiting`: it is on its way, or waits for a rollout that is under way.
   * - `refused`: it is tried again when it changes, and now and then.
   */
  readonly state: 'none' | 'waiting' | 'refused'
  /** Why it was refused, or waits. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
  /** The last release that this node made. */
  readonly released?: number
}

/** Value of `node/<node>/catalog/<tree>`. */
export interface NodeCatalog {
  readonly atMs: number
  readonly role: Role
  /** The release that it was compared with; 0 where there is none. */
  readonly release: number
  /** How many there are of each; those of which nothing more is said included. */
  readonly counts: Readonly<Record<CatalogDifference['decision'], number>>
  /** Those that wait for a person first; at most 1,000. */
  readonly differences: readonly CatalogDifference[]
  /** Versions that were overwritten although nobody had released them, and that the node holds. */
  readonly kept: number
  /** Names its keystore, and says nothing else of it; absent where there is none. */
  readonly keystore?: string
  /** What is wrong with the data directory itself; at most 20. */
  readonly problems: readonly Problem[]
  readonly proposal: CatalogProposal
  /** The last that were carried out, or refused, newest first; at most 20. */
  readonly orders: readonly OrderOutcome[]
}

/** A version that was overwritten on a node. */
export interface CatalogKept {
  readonly key: string
  readonly path: string
  readonly sha256: string
  readonly atMs: number
  /** The release that went over it. */
  readonly release: number
}

/** Value of `node/<node>/kept/<tree>`. */
export interface NodeKept {
  readonly atMs: number
  /** Newest first, at most 1,000. */
  readonly kept: readonly CatalogKept[]
}

/** Of GET /v1/trees/:tree/catalog. */
export interface CatalogAnswer {
  readonly tree: string
  readonly nodes: readonly CatalogNodeAnswer[]
}

export interface CatalogNodeAnswer {
  readonly node: string
  readonly liveness: NodeLiveness
  readonly catalog: NodeCatalog
  /** Orders that it has not taken up yet, oldest first. */
  readonly waiting: readonly CatalogOrder[]
}

/** Of GET /v1/trees/:tree/catalog/:node/kept. */
export interface CatalogKeptAnswer {
  readonly tree: string
  readonly node: string
  readonly kept: readonly CatalogKept[]
}

/**
 * What a person says of a node's own changes.
 *
 * - `adopt`: they become part of the next release.
 * - `revert`: the node gets what is released; its own is kept.
 * - `take-over`: what only the node had when it first met releases is as if made now: its role decides.
 * - `confirm-removal`: all that is gone there by now was deleted on purpose, however much it is.
 */
export const CATALOG_ORDERS = ['adopt', 'revert', 'take-over', 'confirm-removal'] as const

/** One that is decided on. The versions are those that the person saw: where the node has others by now, it is not done. */
export type CatalogChoice = Pick<CatalogDifference, 'key' | 'local' | 'desired'>

/** Body of POST /v1/trees/:tree/catalog/:node/orders. */
export interface CatalogOrderRequest {
  readonly order: (typeof CATALOG_ORDERS)[number]
  /** Of `adopt` and `revert`: 1 to 1,000. */
  readonly choices?: readonly CatalogChoice[] | undefined
}

/** Also of POST /v1/trees/:tree/catalog/:node/versions/:sha256, which asks the node to bring a version as a blob. */
export interface CatalogOrderAnswer {
  /** Told with what came of it, in `NodeCatalog.orders`. */
  readonly id: string
}

/** Value of `order/<node>/<tree>/<id>`, written by the hub. It ends by itself after an hour. */
export interface CatalogOrder {
  readonly id: string
  readonly order: (typeof CATALOG_ORDERS)[number] | 'show'
  readonly choices?: readonly CatalogChoice[] | undefined
  /** Of `show`: the version that somebody wants to see. */
  readonly sha256?: string | undefined
  readonly author: string
  readonly atMs: number
}

export interface OrderOutcome {
  readonly id: string
  readonly order: CatalogOrder['order']
  readonly state: 'done' | 'refused'
  /** Why it was refused. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
  readonly atMs: number
}

/** Most of each that one value holds. */
export const CATALOG_LIMITS = {
  differences: 1000,
  kept: 1000,
  problems: 20,
  details: 5,
  outcomes: 20,
  choices: 1000,
} as const
