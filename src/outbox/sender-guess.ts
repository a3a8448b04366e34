import type { LedgerRow } from '../core/push/ledger.ts'
import { isGone } from '../core/push/operation.ts'
import type { Outcome } from '../core/push/wire.ts'
import { TOGETHER_BYTES } from './lanes-prepare.ts'

/** So many offers in a row have to be wanted. */
const LACKED = 64
/** Of so many that are sent one is offered nevertheless. */
const SAMPLE = 16

/**
 * Whether a child that may have what it is to catch up with has any of it. One that was only away lacks everything, and to offer it small files
 * costs more than to send them; one that was given a copy by hand has nearly everything.
 */
export class Guess {
  #lacked = 0

  heard({ result }: Outcome): void {
    if (result === 'wanted') this.#lacked++
    else if (result === 'same') this.#lacked = 0
  }

  isLacking(row: LedgerRow): boolean {
    const isSmall = !isGone(row) && row.size <= TOGETHER_BYTES
    return isSmall && this.#lacked >= LACKED && row.position % SAMPLE !== 0
  }
}
