import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import type { Caller } from '../access.ts'
import type { ServedTree } from '../options.ts'
import { lastBelow, type Pager } from './walk.ts'

interface Page {
  readonly prefix: string
  readonly after: string
  readonly limit: number
}

/** A tree as far as somebody may read it; undefined where that is nothing of what begins with `prefix`. */
export function pagerOfTree(tree: ServedTree, caller: Caller, prefix: string): Pager | undefined {
  return pagerOf(tree.index, caller.readable(tree.name), prefix)
}

/** `readable`: the begins of keys that may be read. */
export function pagerOf(index: Pager, readable: readonly string[], prefix: string): Pager | undefined {
  if (readable.includes('')) return index
  const parts = readable
    .filter((part) => part.startsWith(prefix) || prefix.startsWith(part))
    .map((part) => (part.startsWith(prefix) ? part : prefix))
  return parts.length === 0 ? undefined : pagerOfParts(index, parts)
}

/** Everything that somebody may read, with keys `tree/key`; undefined where that is nothing of what begins with `prefix`. */
export function pagerOfAll(trees: readonly ServedTree[], caller: Caller, prefix: string): Pager | undefined {
  const parts: Part[] = []
  for (const tree of trees) {
    const root = `${tree.name}/`
    if (!root.startsWith(prefix) && !prefix.startsWith(root)) continue
    const pager = pagerOfTree(tree, caller, prefix.slice(root.length))
    if (pager !== undefined) parts.push({ root, pager })
  }
  return parts.length === 0 ? undefined : new Several(parts)
}

/** These parts of it, of which none lies in another. */
function pagerOfParts(pager: Pager, parts: readonly string[]): Pager {
  const sorted = parts.toSorted(compareKeys)
  return {
    page: ({ prefix, after, limit }) => {
      const found: FileEntry[] = []
      for (const part of sorted) {
        if (found.length >= limit) break
        if (compareKeys(lastBelow(part), after) <= 0) continue
        const within = prefix.startsWith(part) ? prefix : part
        if (within.startsWith(prefix)) found.push(...pager.page({ prefix: within, after, limit: limit - found.length }))
      }
      return found
    },
  }
}

interface Part {
  /** With a slash at the end. */
  readonly root: string
  readonly pager: Pager
}

class Several implements Pager {
  readonly #parts: readonly Part[]

  constructor(parts: readonly Part[]) {
    this.#parts = parts.toSorted((left, right) => compareKeys(left.root, right.root))
  }

  page({ prefix, after, limit }: Page): readonly FileEntry[] {
    const found: FileEntry[] = []
    for (const { root, pager } of this.#parts) {
      if (found.length >= limit) break
      if (!root.startsWith(prefix) && !prefix.startsWith(root)) continue
      const inner = after.startsWith(root) ? after.slice(root.length) : ''
      if (inner === '' && compareKeys(after, root) > 0) continue
      const page = pager.page({ prefix: prefix.slice(root.length), after: inner, limit: limit - found.length })
      for (const entry of page) found.push({ ...entry, key: root + entry.key })
    }
    return found
  }
}
