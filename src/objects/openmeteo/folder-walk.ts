import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import { impossibleKey } from '../../core/files/impossible.ts'
import type { ListScope } from '../../core/files/source.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Listed } from './listing-body.ts'

/** One page of the listing of a folder; returns the token of the next page. */
export type ListPage = (folder: string, token: string | undefined) => AsyncGenerator<Listed, string | undefined>

interface WalkOptions extends Pick<ListScope, 'prefixes' | 'enters'> {
  readonly name: string
  readonly listPage: ListPage
  /** How many folders are listed at once. */
  readonly lists: number
}

/** More folders than anybody has; the memory for them is the limit. */
const FOLDERS_MAX = 1_000_000
const PAGES_MAX = 100_000

/** Goes from folder to folder, several at once, and yields files as they come, in no order. Whoever stops early ends all of it. */
export async function* walkFolders(options: WalkOptions): AsyncGenerator<readonly FileEntry[], void> {
  const { prefixes = [], enters = () => true, lists, name } = options
  const matters = (folder: string): boolean =>
    prefixes.length === 0 || prefixes.some((prefix) => folder.startsWith(prefix) || prefix.startsWith(folder))
  const waiting = firstFolders(prefixes)
  const running = new Map<AsyncGenerator<Listed, void>, Promise<Next>>()
  const run = (pages: AsyncGenerator<Listed, void>): void => {
    const next = nextOf(pages)
    // It may fail while nobody waits for it; whoever comes to it sees that.
    next.catch(() => undefined)
    running.set(pages, next)
  }
  try {
    for (;;) {
      for (let folder; running.size < lists && (folder = waiting.pop()) !== undefined;) {
        const pages = folderPages(folder, options)
        run(pages)
      }
      if (running.size === 0) return
      const { pages, result } = await Promise.race(running.values())
      if (result.done === true) {
        running.delete(pages)
        continue
      }
      run(pages)
      for (const folder of result.value.folders) if (matters(folder) && enters(folder)) waiting.push(folder)
      if (waiting.length > FOLDERS_MAX) throw bad(name, 'it has too many folders')
      if (result.value.entries.length > 0) yield result.value.entries
    }
  } finally {
    for (const pages of running.keys()) void pages.return(undefined).catch(() => undefined)
  }
}

interface Next {
  readonly pages: AsyncGenerator<Listed, void>
  readonly result: IteratorResult<Listed, void>
}

async function nextOf(pages: AsyncGenerator<Listed, void>): Promise<Next> {
  return { pages, result: await pages.next() }
}

/** Everything in one folder. What lies elsewhere is a lie. */
async function* folderPages(folder: string, { name, listPage }: WalkOptions): AsyncGenerator<Listed, void> {
  const folders = new Set<string>()
  const tokens = new Set<string>()
  for (let token: string | undefined; ;) {
    const pages = listPage(folder, token)
    for (;;) {
      const next = await pages.next()
      if (next.done === true) {
        token = next.value
        break
      }
      for (const { key } of next.value.entries) if (!isIn(folder, key)) throw bad(name, 'it names files elsewhere')
      const fresh = next.value.folders.filter((one) => !folders.has(one))
      for (const one of fresh) {
        if (!one.endsWith('/') || !isIn(folder, one.slice(0, -1))) throw bad(name, 'it names folders elsewhere')
        if (one.length <= folder.length || impossibleKey(one) !== undefined)
          throw bad(name, 'a folder cannot be called so')
        folders.add(one)
      }
      yield { entries: next.value.entries, folders: fresh }
    }
    if (token === undefined) return
    const mark = sha256(token)
    if (tokens.has(mark) || tokens.size >= PAGES_MAX) throw bad(name, 'its pages go in circles')
    tokens.add(mark)
  }
}

/** Directly in it, or the folder itself, as some clients leave it as an object. */
function isIn(folder: string, key: string): boolean {
  return key.startsWith(folder) && !key.includes('/', folder.length)
}

/** The innermost folders that hold everything with these prefixes, none within another. */
function firstFolders(prefixes: readonly string[]): string[] {
  const folders = prefixes.map((prefix) => prefix.slice(0, prefix.lastIndexOf('/') + 1)).toSorted()
  if (folders.length === 0) return ['']
  const outermost: string[] = []
  for (const folder of folders) {
    const last = outermost.at(-1)
    if (last === undefined || !folder.startsWith(last)) outermost.push(folder)
  }
  return outermost
}

function bad(name: string, why: string): FlotillaError {
  return new FlotillaError('BAD_LISTING', `the listing of ${name} is none: ${why}`)
}
