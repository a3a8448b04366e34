import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { FileSource, HttpRange, ListScope } from '../../core/files/source.ts'
import type { Op } from '../../core/op.ts'
import { isNothing, nothing, partHeaders, partOf } from '../../lib/file-answers.ts'
import { uriEncode, uriEncodePath } from '../../lib/s3/target.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { FlotillaPeer } from './flotilla-peer.ts'

export interface FlotillaSourceOptions extends ConnectionOptions {
  readonly tree: string
}

/** A tree of another node's file service. */
export function openFlotillaSource(options: FlotillaSourceOptions): FlotillaSource {
  return new FlotillaSource(options)
}

export class FlotillaSource implements FileSource {
  readonly name: string
  readonly sorted = true
  readonly peer: FlotillaPeer
  readonly #connection: Connection
  readonly #tree: string

  constructor(options: FlotillaSourceOptions) {
    this.#connection = new Connection(options)
    this.#tree = uriEncode(options.tree)
    this.name = `flotilla ${this.#connection.origin}/${this.#tree}`
    this.peer = new FlotillaPeer(this.#connection, `trees/${this.#tree}`, this.name)
  }

  async *list({ prefixes, signal }: ListScope & Op): AsyncGenerator<readonly FileEntry[], void> {
    let last = ''
    for await (const { reset, changes } of this.peer.changes({ prefixes, signal })) {
      if (!reset) throw this.#badListing('it tells changes instead of everything')
      for (const change of changes) {
        if ('gone' in change) throw this.#badListing('it names what is gone')
        if (compareKeys(last, change.key) >= 0) throw this.#badListing('its keys do not ascend')
        last = change.key
      }
      if (changes.length > 0) yield changes as readonly FileEntry[]
    }
  }

  async open(
    entry: FileEntry,
    { start = 0, end = entry.size, signal }: Op & { readonly start?: number; readonly end?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const part = { entry, start, end: Math.min(end, entry.size) }
    if (isNothing(part)) return nothing()
    const path = `/${this.#tree}/${uriEncodePath(entry.key)}`
    const answer = await this.#connection.send({ method: 'GET', path, headers: partHeaders(part), signal })
    return await partOf(answer, part, this.name)
  }

  range(entry: FileEntry, part: { readonly start: number; readonly end: number }): HttpRange | undefined {
    return this.#connection.plain(`/${this.#tree}/${uriEncodePath(entry.key)}`, partHeaders({ entry, ...part }))
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  #badListing(why: string): FlotillaError {
    return new FlotillaError('BAD_LISTING', `the listing of ${this.name} is none: ${why}`)
  }
}
