import type { Fragment } from './fragment.ts'

/**
 * Keeps what was read of files, so that the next check or compile reads only what changed. Keys are hashes of everything
 * the reading depends on, so nothing in here ever becomes wrong. Holds at most `limitBytes` of files; what was not asked
 * for longest goes first.
 */
export class FragmentCache {
  readonly #limitBytes: number
  readonly #held = new Map<string, Fragment>()
  #bytes = 0

  constructor(limitBytes = 256 * 1024 * 1024) {
    this.#limitBytes = limitBytes
  }

  get(key: string): Fragment | undefined {
    const fragment = this.#held.get(key)
    if (fragment === undefined) return undefined
    this.#held.delete(key)
    this.#held.set(key, fragment)
    return fragment
  }

  set(key: string, fragment: Fragment): void {
    this.#drop(key)
    this.#held.set(key, fragment)
    this.#bytes += costOf(fragment)
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= this.#limitBytes) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const fragment = this.#held.get(key)
    if (fragment === undefined) return
    this.#held.delete(key)
    this.#bytes -= costOf(fragment)
  }
}

/** Its bytes, and roughly what the objects around them take. */
function costOf(fragment: Fragment): number {
  return fragment.bytes.byteLength + 1024 * (1 + fragment.datasets.length + fragment.findings.length)
}
