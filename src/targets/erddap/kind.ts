import type { TreeKind } from '../../core/tree.ts'

/** Trees of ERDDAP dataset definitions. */
export function erddapKind(): TreeKind {
  throw new Error('not built yet')
}
