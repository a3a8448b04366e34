/** The only source of time. Tests pass a virtual one. */
export interface Clock {
  /** Milliseconds since the Unix epoch, for people and records. It may jump; never measure with it. */
  nowMs(): number

  /** Milliseconds since some fixed moment of this process. Never goes back: leases and time-outs are counted in it. */
  monotonicMs(): number

  /** Resolves after `ms`. Rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
