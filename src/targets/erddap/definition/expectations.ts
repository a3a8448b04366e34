export interface Expectation {
  /** Destination name of a variable, or `NC_GLOBAL`. */
  readonly variable: string
  readonly attribute: string
  readonly value: string
}

/**
 * What ERDDAP's /info/ID page must show once it serves `after`: text attributes that the definition sets.
 * With `before`, only those that differ. At most `limit`.
 */
export function expectations(_before: Uint8Array | undefined, _after: Uint8Array, _limit = 20): readonly Expectation[] {
  throw new Error('not built yet')
}
