import type { OpenedFile } from '../core/files/tree-files.ts'
import { HOPS_HEADER, HOPS_MAX } from '../core/push/wire.ts'
import type { Exchange } from './exchange.ts'
import type { ServedTree } from './options.ts'

/** A file that is not here from one of the children; undefined where none has it, or it was deleted. */
export async function openElsewhere(
  exchange: Exchange,
  { name, distribution }: ServedTree,
  key: string,
): Promise<OpenedFile | undefined> {
  if (distribution === undefined || distribution.children().length === 0) return undefined
  const header = exchange.header(HOPS_HEADER)
  const hops = header === undefined ? 0 : /^[1-9]\d?$/.test(header) ? Number(header) : HOPS_MAX
  // It is for nodes of the tree to say. What anybody else says must neither set others looking nor shorten what is remembered for them.
  if (hops >= HOPS_MAX || (hops > 0 && !exchange.caller.mayFeed(name))) return undefined
  return await distribution.elsewhere(key, { hops, signal: exchange.signal })
}
