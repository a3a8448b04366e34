import { ERRORS, type FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { TargetError, TargetReport } from '../core/target.ts'

/** An error as a report carries it: the first finding with its place where there is one, else the error itself. */
export function troubleOf(error: unknown): TargetError {
  if (!isError(error)) return { code: 'INTERNAL', message: messageOf(error) }
  const { problems = [] } = error.details
  return problems.find(({ severity }) => severity === 'error') ?? problems[0] ?? plain(error)
}

function plain({ code, message, details: { hint, file, line, column } }: FlotillaError): TargetError {
  return {
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
  }
}

/** Whether trying the same again may help without anybody changing anything. An unknown error may be anything. */
export function mayPass(error: unknown): boolean {
  return isError(error) ? ERRORS[error.code].retry : true
}

/** How often the same is tried before what is told of it is a failure that others may act on. */
const TRIES = 3

/**
 * Whether nothing more is to be hoped for after so many tries. That somebody else does not answer is no failure of this node, and
 * may take as long as it likes: who waits for the node has a time limit of its own.
 */
export function isOver(error: unknown, tries: number): boolean {
  if (!mayPass(error)) return true
  return tries >= TRIES && !isError(error, 'UNREACHABLE', 'NOT_READY', 'RATE_LIMITED')
}

/** What is told of a node that stands still: the proofs it has stay, and the error says why there are no newer ones. */
export function withTrouble(
  { retrying: _before, ...report }: TargetReport,
  {
    error,
    staged = 0,
    isOver: over,
  }: { readonly error: TargetError; readonly staged?: number; readonly isOver: boolean },
): TargetReport {
  const retrying = over ? {} : { retrying: true as const }
  return { ...report, state: 'failed', staged: Math.max(report.staged, staged), error, ...retrying }
}

/** What is told before anything could be prepared. */
export const NOTHING: TargetReport = {
  state: 'pending',
  staged: 0,
  applied: 0,
  served: 0,
  warnings: [],
  progress: { done: 0, total: 0 },
  items: {},
}
