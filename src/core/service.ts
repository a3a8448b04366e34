/** Something that runs until told to stop. Resolves when stopped; rejecting means "restart me after a backoff". */
export interface Service {
  readonly name: string
  run(signal: AbortSignal): Promise<void>
}
