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

/** What is told of a node that stands still: the proofs it has stay, and the error says why there are no newer ones. */
export function withTrouble(report: TargetReport, error: TargetError, staged: number): TargetReport {
  return { ...report, state: 'failed', staged: Math.max(report.staged, staged), error }
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
