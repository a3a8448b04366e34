import type { TreeFiles } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import type { Child, OperationItem } from '../core/push/child.ts'
import { isGone, type Operation, type PutOperation } from '../core/push/operation.ts'
import { OPS_LIMITS, type Outcome } from '../core/push/wire.ts'
import { readFile, sendFile } from './relay-files.ts'

export interface PassingOn extends Op {
  readonly files: TreeFiles
  /** Speaks to a sibling with the credentials that this node was spoken to with. To be closed. */
  readonly open: (url: string) => Child
}

/** How many are passed on to at once, each with its share of the others: what a node sends is at most so much as often. */
const WAYS = 2

/**
 * Passes on to siblings what was applied here, from the files as they lie here: nothing that is not verified goes further. For each operation, which
 * siblings have it, counted from 0. Whoever is left out is fed by the parent. Never rejects.
 */
export async function passOn(
  operations: readonly Operation[],
  siblings: readonly string[],
  options: PassingOn,
): Promise<readonly (readonly number[])[]> {
  const reached = operations.map(() => new Set<number>())
  const all = siblings.map((_, index) => index)
  const shares = Array.from({ length: WAYS }, (_, way) => all.filter((index) => index % WAYS === way))
  await Promise.all(shares.map(async (share) => passToOne(operations, share, siblings, reached, options)))
  return reached.map((some) => [...some].toSorted((a, b) => a - b))
}

/** To the first that answers, with the others of the share. */
async function passToOne(
  operations: readonly Operation[],
  share: readonly number[],
  siblings: readonly string[],
  reached: readonly Set<number>[],
  options: PassingOn,
): Promise<void> {
  for (let at = 0; at < share.length && options.signal?.aborted !== true; at++) {
    const head = share[at] as number
    const rest = share.slice(at + 1)
    const child = options.open(siblings[head] as string)
    try {
      const relay = rest.map((index) => siblings[index] as string)
      const outcomes = await send(child, operations, relay, options)
      outcomes.forEach((outcome, index) => {
        if (!('result' in outcome) || outcome.result === 'failed' || outcome.result === 'wanted') return
        reached[index]?.add(head)
        for (const one of outcome.relayed ?? []) if (rest[one] !== undefined) reached[index]?.add(rest[one])
      })
      return
    } catch {
      // The next of them is asked then; the parent feeds this one.
    } finally {
      await child.close()
    }
  }
}

async function send(
  child: Child,
  operations: readonly Operation[],
  relay: readonly string[],
  options: PassingOn,
): Promise<readonly Outcome[]> {
  const { files, signal } = options
  const outcomes = new Map<Operation, Outcome>()
  const small: OperationItem[] = []
  for (const operation of operations) {
    if (isLarge(operation)) outcomes.set(operation, await sendFile(child, files, operation, { relay, signal }))
    else small.push(isGone(operation) ? { operation } : { operation, bytes: await readFile(files, operation, signal) })
  }
  if (small.length > 0) {
    const answers = await child.operations(small, { relay, signal })
    small.forEach(({ operation }, index) => {
      const answer = answers[index]
      if (answer !== undefined) outcomes.set(operation, answer)
    })
  }
  return operations.map((operation) => outcomes.get(operation) ?? { result: 'wanted' })
}

function isLarge(operation: Operation): operation is PutOperation {
  return !isGone(operation) && operation.size > OPS_LIMITS.contentBytes
}
