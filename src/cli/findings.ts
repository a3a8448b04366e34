import type { Problem } from '../core/problem.ts'
import type { Output } from './output.ts'
import { problemLines } from './errors.ts'
import { plural } from './format.ts'

export function errorsOf(problems: readonly Problem[]): readonly Problem[] {
  return problems.filter(({ severity }) => severity === 'error')
}

/** Warnings first and errors last, next to the summary, where they are seen; each sorted by place. */
export function sorted(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted(
    (a, b) =>
      Number(a.severity === 'error') - Number(b.severity === 'error') ||
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  )
}

export function printProblems(problems: readonly Problem[], output: Output): void {
  for (const line of problemLines(sorted(problems), output)) output.print(line)
}

/** `1 error, 3 warnings`. */
export function countProblems(problems: readonly Problem[]): string {
  const errors = errorsOf(problems).length
  return `${plural(errors, 'error')}, ${plural(problems.length - errors, 'warning')}`
}
