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
