import type { Child } from '../core/push/child.ts'
import type { LedgerRow } from '../core/push/ledger.ts'
import { OPS_LIMITS } from '../core/push/wire.ts'
import { aborted } from '../lib/waiting.ts'
import { operationOf } from './sender-content.ts'

/** How long one question waits for what lies below: what is there does not wait longer for what is not. */
const WAIT_MS = 2000
/** Questions to one child at once. */
const ASKED = 4

interface Probe {
  readonly row: LedgerRow
  readonly answer: PromiseWithResolvers<boolean>
}

/** Asks a child whether everything below it has what it has itself: offers it once more, many at a time. */
export class DeepProbes {
  readonly #child: Child
  #waiting = new Map<string, Probe>()
  #asked = 0

  constructor(child: Child) {
    this.#child = child
  }

  /** False where it has not within a moment, or does not answer. Never rejects. */
  async isDeep(row: LedgerRow, signal: AbortSignal): Promise<boolean> {
    const known = this.#waiting.get(row.key)
    const isKnown = known?.row.position === row.position
    // Whoever waits with an older row of that key looks again.
    if (known !== undefined && !isKnown) known.answer.resolve(false)
    const probe = isKnown ? known : { row, answer: Promise.withResolvers<boolean>() }
    this.#waiting.set(row.key, probe)
    this.#ask()
    return await Promise.race([probe.answer.promise, aborted(signal).then(() => false)])
  }

  #ask(): void {
    if (this.#asked >= ASKED || this.#waiting.size === 0) return
    const probes = [...this.#waiting.values()].slice(0, OPS_LIMITS.operations)
    for (const { row } of probes) this.#waiting.delete(row.key)
    this.#asked++
    void this.#send(probes).finally(() => {
      this.#asked--
      this.#ask()
    })
  }

  async #send(probes: readonly Probe[]): Promise<void> {
    const items = probes.map(({ row }) => ({ operation: operationOf(row) }))
    const outcomes = await this.#child.operations(items, { deepMs: WAIT_MS }).catch(() => [])
    probes.forEach(({ answer }, index) => {
      const outcome = outcomes[index]
      answer.resolve(outcome !== undefined && 'isDeep' in outcome && outcome.isDeep)
    })
  }
}
