/** Addresses that the cluster lets through or not, over all releases. Names of the lists are those of ERDDAP's settings. */
export const LISTS = ['requestBlacklist', 'subscriptionEmailBlacklist', 'ipAddressUnlimited'] as const

export type ListName = (typeof LISTS)[number]

/** Value of `list/<tree>/<list>/<value>`. The value itself, percent-encoded, is the last part of the key. */
export interface ListEntry {
  readonly value: string
  readonly author: string
  readonly atMs: number
}

/** What a node merges into its configuration: sorted values by list. */
export type Lists = Readonly<Record<ListName, readonly string[]>>

export const NO_LISTS: Lists = { requestBlacklist: [], subscriptionEmailBlacklist: [], ipAddressUnlimited: [] }

/** Answer of GET /v1/trees/:tree/lists/:list: its values in their order. */
export interface ListAnswer {
  readonly tree: string
  readonly list: ListName
  readonly entries: readonly ListEntry[]
  /** What no ERDDAP can be told of them: for a proxy to enforce. */
  readonly left: readonly Left[]
  /** Of the store, as it was looked at. */
  readonly revision: number
}

export interface Left {
  readonly value: string
  readonly why: string
}

/** Body of POST /v1/trees/:tree/lists/:list: all of it happens at once, or nothing. */
export interface ListChange {
  readonly add?: readonly string[] | undefined
  readonly remove?: readonly string[] | undefined
}

/** What a change of a list did. Values are in the one way to write them, which may not be how they were given. */
export interface ListChangeAnswer {
  readonly tree: string
  readonly list: ListName
  /** Nodes whose report is `asOf` this revision take account of it. */
  readonly revision: number
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Were on the list before, or not, as they now should be. */
  readonly unchanged: readonly string[]
  /** Are off the list, yet stand in a network that is on it. */
  readonly covered: readonly Covered[]
  readonly left: readonly Left[]
}

export interface Covered {
  readonly value: string
  readonly by: string
}
