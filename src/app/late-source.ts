import { type ErrorCode, isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource, ListScope } from '../core/files/source.ts'
import type { Op } from '../core/op.ts'
import { type OpenedSource, openSource, type SourceOptions } from './sync-sources.ts'

const LATER: readonly ErrorCode[] = ['UNREACHABLE', 'NOT_READY']

/**
 * Opens every source. One that does not answer while another one does is asked again what it is whenever it is needed. Rejects
 * as the first that fails for another reason, or as the first of all when none answers.
 */
export async function openSources(all: readonly SourceOptions[]): Promise<readonly OpenedSource[]> {
  const opened = await Promise.allSettled(all.map(async (options) => openSource(options)))
  const isAnyThere = opened.some(({ status }) => status === 'fulfilled')
  return opened.map((one, index): OpenedSource => {
    if (one.status === 'fulfilled') return one.value
    const options = all[index]
    if (!isAnyThere || options === undefined || !isError(one.reason, ...LATER)) throw one.reason
    return { source: new LateSource(options) }
  })
}

/** Says only what every source says: what it is turns out later. */
class LateSource implements FileSource {
  readonly name: string
  readonly sorted = false
  readonly #options: SourceOptions
  #source: FileSource | undefined

  constructor(options: SourceOptions) {
    const { origin, pathname } = new URL(options.from)
    this.name = `${origin}${pathname}`
    this.#options = options
  }

  async *list(scope: ListScope & Op): AsyncGenerator<readonly FileEntry[], void> {
    yield* (await this.#open(scope)).list(scope)
  }

  async open(entry: FileEntry, options?: Parameters<FileSource['open']>[1]): Promise<AsyncIterable<Uint8Array>> {
    return (await this.#open(options)).open(entry, options)
  }

  async close(): Promise<void> {
    await this.#source?.close()
  }

  async #open({ signal }: Op = {}): Promise<FileSource> {
    this.#source ??= (await openSource({ ...this.#options, signal: signal ?? this.#options.signal })).source
    return this.#source
  }
}
