/**
 * Of several roots of a tree one takes writes: who holds the lease of the tree in the store. Each has an epoch that is greater than all
 * before it, and gives versions of that epoch only.
 */
export interface Election {
  /** That this node leads just now; undefined where it does not, or cannot be certain of it any more. Asked as often as it matters. */
  readonly term: number | undefined

  /** Who leads, as far as is known here: this node only while `term` says so. */
  readonly leader: RootLeader | undefined
}

/** Value of `root/<tree>`. */
export interface RootLeader {
  readonly node: string
  /** Of its file service. */
  readonly url: string
  readonly epoch: number
}

/** Of what the roots of one tree say that they lead or follow. */
export function rootsLineage(tree: string): string {
  return `cluster:${tree}`
}
