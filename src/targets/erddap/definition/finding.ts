import type { ProblemCode } from '../../../core/problem.ts'

/** What is wrong at a place of one file; whether it counts may depend on the tree, the nodes or an override. */
export interface Finding {
  readonly code: ProblemCode
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly hint?: string
  /** From 1. */
  readonly line: number
  readonly column: number
  /** Index of the top-level dataset it stands in. */
  readonly within?: number
  /** ERDDAP skips an inactive dataset without looking: then it is a warning. */
  readonly onlyIfActive?: boolean
  /** Counts only for nodes with an ERDDAP older than this. */
  readonly since?: string
  /** Counts only if no node defines this value. */
  readonly nodeValue?: string
}

/** Whether version `a` is lower than `b`: `2.9` < `2.18`, `2.29.0` = `2.29`. */
export function isOlder(a: string, b: string): boolean {
  const left = numbers(a)
  const right = numbers(b)
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

function numbers(version: string): readonly number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0)
}
