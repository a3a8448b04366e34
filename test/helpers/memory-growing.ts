import type { Growing } from '../../src/core/files/growing.ts'
import type { Op } from '../../src/core/op.ts'

/** Bytes of the memory that grow while others read behind. */
export class MemoryGrowing {
  readonly #chunks: Uint8Array[] = []
  readonly #waiting = new Set<() => void>()
  written = 0
  state: Growing['state'] = 'growing'
  /** Readers that have not released it: none when a test is done. */
  readers = 0

  add(chunk: Uint8Array): void {
    this.#chunks.push(Uint8Array.from(chunk))
    this.written += chunk.byteLength
    this.#wake()
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  end(state: 'whole' | 'failed'): void {
    this.state = state
    this.#wake()
  }

  behind(key: string): Growing {
    // oxlint-disable-next-line typescript/no-this-alias -- what is given out looks at it each time
    const growing = this
    this.readers++
    let isReleased = false
    return {
      key,
      get written() {
        return growing.written
      },
      get state() {
        return growing.state
      },
      changed: async (op) => this.#changed(op),
      read: async (buffer, position) => this.bytes().copy(buffer, 0, position),
      release: () => {
        if (isReleased) throw new Error('released twice')
        isReleased = true
        this.readers--
      },
    }
  }

  async #changed({ signal }: Op): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      this.#waiting.add(resolve)
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}
