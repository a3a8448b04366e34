import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Election } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { HelloAnswer } from '../core/push/wire.ts'
import { compareWith, type RepairOptions } from './repair.ts'

interface Meeting {
  /** Of the child. */
  readonly compared: () => RepairOptions
  readonly ledger: OpenLedger
  readonly election?: Election | undefined
  readonly log: Logger
}

/** A child with which this does not work is fed all the same; the daily comparison comes back to it. */
const ATTEMPTS = 3

/**
 * What a root does when it meets a child: what was acknowledged and is known there alone, as the root has lost its disk, is taken back before anything is sent. Of
 * several roots each does so with a child that its ledger does not know, and who leads once in each term: the one that gave the versions may never come back. A
 * lone root does it as long as it has given no version itself. Other roots hand over what they have by themselves.
 */
export function meeting(options: Meeting): (answer: HelloAnswer, isNew: boolean, op: Op) => Promise<void> {
  const { compared, ledger, election, log } = options
  let met: number | undefined
  let attempts = 0
  return async (answer, isNew, op) => {
    const term = election?.term
    const isDue = isNew || (term !== undefined && term !== met)
    if (
      !isDue ||
      answer.isRoot === true ||
      answer.isFilled !== true ||
      !(election === undefined ? isUnwritten(ledger) : true)
    )
      return
    const asked = compared()
    const { url } = asked.child
    try {
      const { taken } = await compareWith(asked, { prefix: '', isRepair: true, isTakingBack: true, ...op })
      if (taken > 0) log.warn('files that only a child had were taken back from it', { child: url, taken })
      met = term
      attempts = 0
    } catch (error) {
      if (op.signal?.aborted === true || ++attempts < ATTEMPTS) throw error
      log.warn('a child could not be asked what only it has', { child: url, error: messageOf(error) })
    }
  }
}

/** A root whose ledger is new, whatever came into it from its children. */
function isUnwritten(ledger: OpenLedger): boolean {
  if (ledger.parent() !== undefined) return false
  const { newest } = ledger
  return newest === undefined || newest.epoch < ledger.next().epoch
}
