import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'

export interface PathDataset {
  readonly id: string
  readonly active: boolean
  /** The element as compiled: node values are filled in. */
  readonly source: Uint8Array
  readonly path: string
  readonly line: number
}

/** Warnings for folders and files that active datasets name and that are not on this machine. */
export function checkPaths(_datasets: readonly PathDataset[], _op?: Op): Promise<readonly Problem[]> {
  throw new Error('not built yet')
}
