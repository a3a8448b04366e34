import {
  catchupScript,
  childrenPage,
  dayLog,
  daysPage,
  type Missing,
  missingLines,
  segmentsOf,
} from '../compat/filedist/missing.ts'
import { isDay } from '../compat/filedist/text.ts'
import type { Distribution, MissingFile } from '../core/push/distribution.ts'
import { S3Error } from '../lib/s3/errors.ts'
import type { Caller } from './access.ts'
import type { Page } from './filedist-pages.ts'
import type { ServedTree } from './options.ts'

const PAGE = 1000

/** The pages of what children lack: of all trees together, as far as somebody may read them. */
export class MissingPages {
  readonly #trees: readonly ServedTree[]

  constructor(trees: readonly ServedTree[]) {
    this.#trees = trees
  }

  /** The children, as they are called in paths. */
  segments(caller: Caller): readonly string[] {
    return [...this.#segments(caller).keys()]
  }

  /** Undefined for the path of a file. Throws `NoSuchKey` where there is no such child. */
  page(caller: Caller, base: string, segment: string, within: string): Page | undefined {
    if (segment === '') return html(childrenPage(this.#children(caller)))
    const child = this.#segments(caller).get(segment)
    if (child === undefined) throw new S3Error('NoSuchKey')
    const missing = this.#missing(caller, child)
    if (within === '') return html(daysPage(child, missing))
    if (within === 'catchup.sh')
      return { type: 'text/x-shellscript; charset=utf-8', pieces: catchupScript(child, base, missing) }
    if (within === 'catchup.jsonl') return { type: 'application/x-ndjson', pieces: missingLines(missing) }
    const day = within.slice(0, -'.log.html'.length)
    return isDay(day) && within === `${day}.log.html` ? html(dayLog(child, day, missing)) : undefined
  }

  #readable(caller: Caller): readonly ServedTree[] {
    return this.#trees.filter(({ name }) => caller.readable(name).length > 0)
  }

  #segments(caller: Caller): ReadonlyMap<string, string> {
    const names = this.#readable(caller).flatMap(({ distribution }) => distribution?.children() ?? [])
    return segmentsOf([...new Set(names.map(({ name }) => name))])
  }

  #children(caller: Caller) {
    const views = this.#readable(caller).flatMap(({ distribution }) => distribution?.children() ?? [])
    return [...this.#segments(caller)].map(([segment, name]) => {
      const own = views.filter((view) => view.name === name)
      return { name, segment, operations: own.reduce((sum, { behind }) => sum + behind.operations, 0) }
    })
  }

  *#missing(caller: Caller, child: string): Generator<Missing, void> {
    for (const { name: tree, distribution } of this.#readable(caller)) {
      for (const file of distribution === undefined ? [] : missingOf(distribution, child)) {
        if (caller.mayRead(tree, file.operation.key)) yield { tree, file }
      }
    }
  }
}

function* missingOf(distribution: Distribution, child: string): Generator<MissingFile, void> {
  for (let after: string | undefined = ''; after !== undefined;) {
    const page: readonly MissingFile[] = distribution.missing(child, { after, limit: PAGE }) ?? []
    yield* page
    after = page.at(-1)?.operation.key
  }
}

function html(pieces: Iterable<string>): Page {
  return { type: 'text/html; charset=utf-8', pieces }
}
