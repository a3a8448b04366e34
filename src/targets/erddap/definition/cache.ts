/** Keeps what was read of a file under its SHA-256, so that the next check or compile reads only what changed. Bounded. */
export class FragmentCache {
  readonly limitBytes: number

  constructor(limitBytes = 256 * 1024 * 1024) {
    this.limitBytes = limitBytes
  }
}
