import type { Logger } from '../core/log.ts'
import { isInside } from '../lib/open-inside.ts'

interface Placed {
  readonly name: string
  /** Free of symbolic links. */
  readonly folder: string
}

/** What lies in two trees is two files to those who read, and goes to the children of each. */
export function warnNested(trees: readonly Placed[], log: Logger): void {
  for (const inner of trees) {
    const same = trees.find(({ name, folder }) => name < inner.name && folder === inner.folder)
    const around = same ?? trees.find(({ folder }) => isInside(folder, inner.folder))
    if (around === undefined) continue
    log.warn('a tree lies in another: its files are served, and given to children, under both names', {
      tree: inner.name,
      in: around.name,
    })
  }
}
