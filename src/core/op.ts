/** Every operation that may block takes an optional signal; aborting it must leave no partial effect. */
export interface Op {
  readonly signal?: AbortSignal | undefined
}
