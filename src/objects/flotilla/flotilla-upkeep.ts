import type { Op } from '../../core/op.ts'
import type { Difference } from '../../core/push/buckets.ts'
import type { MissingPage, Provisioned, RepairCounted, TreeChildren } from '../../core/push/upkeep.ts'
import { uriEncode } from '../../lib/s3/target.ts'
import { linesOf } from './change-lines.ts'
import { Connection, type ConnectionOptions } from './connection.ts'

const JSON_BYTES = 16 * 1024 * 1024
/** Large trees are compared for a while before there is anything to tell. */
const COMPARE_MS = 600_000

export interface RepairAsked {
  readonly prefix: string
  readonly isDry: boolean
  readonly isTakingBack: boolean
}

/** What a person asks a file service about the children of its trees. Rejects as `FileSource.list` does, and with what it answers. */
export class FlotillaUpkeep {
  readonly #connection: Connection

  constructor(options: ConnectionOptions) {
    this.#connection = new Connection({ ...options, silenceMs: COMPARE_MS })
  }

  async children(tree: string, { signal }: Op = {}): Promise<TreeChildren> {
    return (await this.#get(`trees/${uriEncode(tree)}/children`, { signal })) as TreeChildren
  }

  /** Page by page. */
  async *missing(tree: string, child: string, { signal }: Op = {}): AsyncGenerator<MissingPage['files'], void> {
    for (let after: string | undefined = ''; after !== undefined;) {
      const query = `child=${uriEncode(child)}&after=${uriEncode(after)}`
      const page = (await this.#get(`trees/${uriEncode(tree)}/missing?${query}`, { signal })) as MissingPage
      yield page.files
      after = page.next === after ? undefined : page.next
    }
  }

  /** How far the comparison is, then what differs. */
  async *repair(
    tree: string,
    child: string,
    { prefix, isDry, isTakingBack, signal }: RepairAsked & Op,
  ): AsyncGenerator<RepairCounted | Difference, void> {
    const query = `child=${uriEncode(child)}&prefix=${uriEncode(prefix)}${isDry ? '&dry=1' : ''}${isTakingBack ? '&take=1' : ''}`
    yield* this.#lines<RepairCounted | Difference>(`trees/${uriEncode(tree)}/repair?${query}`, { signal })
  }

  async *provision(tree: string, child: string, { signal }: Op = {}): AsyncGenerator<Provisioned, void> {
    yield* this.#lines<Provisioned>(`trees/${uriEncode(tree)}/provision?child=${uriEncode(child)}`, { signal })
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #get(path: string, { signal }: Op): Promise<unknown> {
    return await this.#connection.json({ method: 'GET', path, signal }, JSON_BYTES)
  }

  async *#lines<T>(path: string, { signal }: Op): AsyncGenerator<T, void> {
    const { body } = await this.#connection.ask({ method: 'POST', path, body: '', signal })
    for await (const values of linesOf(body, this.#connection.origin)) yield* values as readonly T[]
  }
}
