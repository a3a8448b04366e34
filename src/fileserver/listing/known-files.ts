import { compareKeys } from '../../core/files/entry.ts'
import type { Caller } from '../access.ts'
import type { ServedTree } from '../options.ts'
import { pagerOf } from './pagers.ts'
import type { Pager } from './walk.ts'

/** Everything in a tree that somebody may read, also what only its children still have; undefined where that is nothing. */
export function filesOfTree({ name, index, distribution }: ServedTree, caller: Caller): Pager | undefined {
  const files = distribution?.files?.bind(distribution)
  const all: Pager =
    files === undefined ? index : { page: (options) => merged(index.page(options), files(options), options.limit) }
  return pagerOf(all, caller.readable(name), '')
}

type Files = ReturnType<Pager['page']>

/** Of two pages in order, each of up to `limit`; what both have is that of the first. */
function merged(here: Files, below: Files, limit: number): Files {
  const found: Files[number][] = []
  let [left, right] = [0, 0]
  while (found.length < limit) {
    const [one, other] = [here[left], below[right]]
    if (one === undefined && other === undefined) break
    const order = one === undefined ? 1 : other === undefined ? -1 : compareKeys(one.key, other.key)
    found.push((order <= 0 ? one : other) as Files[number])
    if (order <= 0) left++
    if (order >= 0) right++
  }
  return found
}
