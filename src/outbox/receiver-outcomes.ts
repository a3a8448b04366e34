import type { ErrorCode } from '../core/errors.ts'
import type { PutResult } from '../core/files/tree-files.ts'
import type { Part } from '../core/files/tree-parts.ts'
import type { Outcome } from '../core/push/wire.ts'

export const OLDER: Outcome = { result: 'older' }
export const APPLIED: Outcome = { result: 'applied' }

export function placed(result: PutResult): Outcome {
  return result === 'failed-condition' ? OLDER : APPLIED
}

export function failure(code: ErrorCode, message: string): Outcome {
  return { result: 'failed', code, message }
}

/** Nothing will come of what has come of it. */
export async function dropped(part: Part, outcome: Outcome): Promise<Outcome> {
  await part.remove()
  return outcome
}
