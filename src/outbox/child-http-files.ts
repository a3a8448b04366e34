import type { FileEntry } from '../core/files/entry.ts'
import type { OpenedFile } from '../core/files/tree-files.ts'
import { type FileFacts, KEPT_HEADERS } from '../core/files/tree-index.ts'
import type { Op } from '../core/op.ts'
import { HOPS_HEADER } from '../core/push/wire.ts'
import { failureOf, isNothing, nothing, partHeaders, partOf, plainEtag } from '../lib/file-answers.ts'
import { HttpPool, type PoolAnswer } from '../lib/http-pool.ts'
import { uriEncodePath } from '../lib/s3/target.ts'
import type { Secret } from '../lib/secret.ts'
import { type ChildPlace, childPlace, keyHeaders } from './child-place.ts'

/** Files of a child, as its file service gives them out. */
export interface ChildFiles {
  /** Undefined where it has no such file. `hops`: how many nodes have been asked on the way, this one included. */
  open(key: string, options: { readonly hops: number } & Op): Promise<OpenedFile | undefined>
  close(): Promise<void>
}

export interface HttpChildFilesOptions {
  /** As of `HttpChild`. */
  readonly url: string
  readonly tree: string
  readonly key?: Secret | undefined
  readonly ca?: string | undefined
}

const CONNECTIONS = 64
const CONNECT_MS = 2000
const HEAD_MS = 5000
const SILENCE_MS = 30_000
export class HttpChildFiles implements ChildFiles {
  readonly #place: ChildPlace
  readonly #pool: HttpPool
  readonly #shown: Readonly<Record<string, string>>

  constructor({ url, tree, key, ca }: HttpChildFilesOptions) {
    this.#place = childPlace(url, tree)
    const { origin, name } = this.#place
    const patience = { silenceMs: SILENCE_MS, connectMs: CONNECT_MS }
    this.#pool = new HttpPool({ origin, name, ca, connections: CONNECTIONS, ...patience })
    this.#shown = keyHeaders(key)
  }

  async open(key: string, { hops, signal }: { readonly hops: number } & Op): Promise<OpenedFile | undefined> {
    const path = `/${this.#place.treePath}/${uriEncodePath(key)}`
    const told = { [HOPS_HEADER]: String(hops) }
    const ask = async (method: 'GET' | 'HEAD', more: Record<string, string>, signal: AbortSignal | undefined) => {
      const headers = { ...more, ...told, ...this.#shown }
      return this.#pool.send({ method, path, headers, signal, headMs: method === 'HEAD' ? HEAD_MS : SILENCE_MS })
    }
    const head = await ask('HEAD', {}, signal)
    await head.discard()
    if (head.status === 404 || head.status === 410) return undefined
    if (head.status !== 200) throw await failureOf(head, key, this.#place.name)
    const entry = entryOf(key, head)
    const { name } = this.#place
    return {
      entry,
      facts: factsOf(head),
      bytes: undefined,
      place: () => Promise.resolve(undefined),
      async *read(start, end, { signal } = {}) {
        const part = { entry, start, end: Math.min(end, entry.size) }
        if (isNothing(part)) yield* nothing()
        else yield* await partOf(await ask('GET', partHeaders(part), signal), part, name)
      },
      close: () => Promise.resolve(),
    }
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}

function entryOf(key: string, head: PoolAnswer): FileEntry {
  const modifiedMs = Date.parse(head.header('last-modified') ?? '')
  return {
    key,
    size: Number(head.header('content-length')),
    etag: plainEtag(head.header('etag')),
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
  }
}

function factsOf(head: PoolAnswer): FileFacts {
  const headers: Record<string, string> = {}
  for (const name of KEPT_HEADERS) {
    const value = head.header(name)
    if (value !== undefined) headers[name] = value
  }
  return { etag: plainEtag(head.header('etag')), headers }
}
