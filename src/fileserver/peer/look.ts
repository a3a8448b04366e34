import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import type { PeerListing } from '../../core/files/peer-look.ts'
import { parameter } from '../../lib/s3/target.ts'
import { pagerOf } from '../listing/pagers.ts'
import { walk } from '../listing/walk.ts'
import { mayRead, type TreeCall } from './peer-call.ts'
import { sendJson } from './small-answers.ts'

const LINES_MAX = 1000

/** What a person sees of a tree: folder by folder, or all of it. */
export async function answerList({ response, target, tree, allowed }: TreeCall): Promise<void> {
  const prefix = parameter(target.query, 'prefix') ?? ''
  const after = parameter(target.query, 'after') ?? ''
  const delimiter = parameter(target.query, 'recursive') === '1' ? '' : '/'
  const pager = pagerOf(tree.index, allowed, prefix)
  const folders: string[] = []
  const files: FileEntry[] = []
  let last = ''
  for (const line of pager === undefined ? [] : walk(pager, { prefix, delimiter, after })) {
    if (folders.length + files.length === LINES_MAX) {
      sendJson(response, { folders, files, next: last } satisfies PeerListing)
      return
    }
    if ('commonPrefix' in line) folders.push(line.commonPrefix)
    else files.push(line)
    last = 'commonPrefix' in line ? line.commonPrefix : line.key
  }
  sendJson(response, { folders, files } satisfies PeerListing)
}

export async function answerWhy({ response, target, tree, allowed, signal }: TreeCall): Promise<void> {
  const key = parameter(target.query, 'key') ?? ''
  if (!mayRead(allowed, key) || tree.why === undefined) {
    throw new FlotillaError('NOT_FOUND', 'of that this file service can tell nothing')
  }
  sendJson(response, await tree.why(key, { signal }))
}
