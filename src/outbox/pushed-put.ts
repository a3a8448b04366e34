import type { PutOptions, PutResult } from '../core/files/tree-files.ts'
import type { FileFacts } from '../core/files/tree-index.ts'
import type { Op } from '../core/op.ts'
import { isGone, type Operation, type PutOperation } from '../core/push/operation.ts'
import { isConditional, type PushedTurns } from './pushed-turns.ts'

/** What becomes of it; undefined: nothing came of it. Never rejects. */
type Outcome = Promise<PutOperation | undefined>

/** Puts a file, however its bytes come, as an operation of this root: `put` does it with the options that it is given. */
export async function pushedPut(
  turns: PushedTurns,
  key: string,
  options: PutOptions & Op,
  put: (given: PutOptions & Op, outcome: Outcome) => Promise<PutResult>,
): Promise<PutResult> {
  const outcome = Promise.withResolvers<PutOperation | undefined>()
  let facts: FileFacts | undefined
  const given: PutOptions & Op = {
    ...options,
    digests: { md5: options.digests?.md5 ?? true, sha256: true },
    facts: () => (facts = options.facts?.() ?? {}),
  }
  const pushed = {
    turn: options.turn,
    isConditional: isConditional(options),
    headers: () => facts?.headers,
    onOperation: (operation: Operation) => outcome.resolve(isGone(operation) ? undefined : operation),
  }
  try {
    return await turns.with(key, pushed, async (turn) => put({ ...given, turn }, outcome.promise))
  } finally {
    outcome.resolve(undefined)
  }
}
