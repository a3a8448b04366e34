import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { filesPage, INDEX_PATH, pagesPage, treesPage } from '../compat/filedist/index-pages.ts'
import { MISSING_PATH } from '../compat/filedist/missing.ts'
import { readme, README_PATH } from '../compat/filedist/readme.ts'
import { inPieces } from '../compat/filedist/text.ts'
import { compareKeys, type FileEntry } from '../core/files/entry.ts'
import type { OpenedFile } from '../core/files/tree-files.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { begun } from './begun.ts'
import { openElsewhere } from './elsewhere.ts'
import { ClientGone, type Exchange } from './exchange.ts'
import { MissingPages } from './filedist-missing.ts'
import { answerFile } from './get-object.ts'
import { parseToken, tokenOf } from './listing/list-request.ts'
import { filesOfTree } from './listing/known-files.ts'
import { walk } from './listing/walk.ts'
import type { FileServerOptions, ServedTree } from './options.ts'
import { hostOf } from './plain-answer.ts'

export type FiledistOptions = Pick<FileServerOptions, 'trees' | 'clock' | 'publicUrl'>

/** What is to be sent of a page. */
export interface Page {
  readonly type: string
  readonly pieces: Iterable<string>
}

/** What nginx.filedist had for people and wget beside the files: what children lack, what there is, and how to use it. No tree can be called so. */
export class FiledistPages {
  readonly #options: FiledistOptions
  readonly #missing: MissingPages

  constructor(options: FiledistOptions) {
    this.#options = options
    this.#missing = new MissingPages(options.trees)
  }

  /** Whether it is for these pages. `path` is decoded. */
  static isFor(path: string): boolean {
    if (!path.startsWith('/__')) return false
    if (path === README_PATH) return true
    return [INDEX_PATH, MISSING_PATH].some((base) => path === base || path.startsWith(`${base}/`))
  }

  /** Rejects with what is to be told as an error. */
  async answer(exchange: Exchange): Promise<void> {
    const { method, target, response, caller } = exchange
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      throw new S3Error('MethodNotAllowed')
    }
    if (this.#options.trees.every(({ name }) => caller.readable(name).length === 0)) throw new S3Error('AccessDenied')
    const { path } = target
    if (path === README_PATH) return await sendPage(exchange, this.#readme(exchange))
    const [, base = '', name = '', ...rest] = path.split('/')
    // Relative links need the slash at the end.
    if (path === `/${base}` || (rest.length === 0 && name !== '')) return redirect(exchange, `${target.rawPath}/`)
    const within = rest.join('/')
    if (`/${base}` === INDEX_PATH) return await this.#index(exchange, name, within)
    const page = this.#missing.page(caller, this.#base(exchange), name, within)
    if (page !== undefined) return await sendPage(exchange, page)
    const slash = within.indexOf('/')
    return await this.#file(exchange, within.slice(0, Math.max(slash, 0)), within.slice(slash + 1))
  }

  async #index(exchange: Exchange, name: string, within: string): Promise<void> {
    const readable = this.#readable(exchange)
    if (name === '') return await sendPage(exchange, html(treesPage(readable.map((tree) => tree.name))))
    if (within !== '') return await this.#file(exchange, name, within)
    const tree = readable.find((one) => one.name === name)
    const pager = tree && filesOfTree(tree, exchange.caller)
    if (pager === undefined) throw new S3Error('NoSuchKey')
    const [after, to] = [exchange.parameter('after'), exchange.parameter('to') ?? '']
    const from = after === undefined || after === '' ? '' : parseToken(after)
    const files = walk(pager, { prefix: '', delimiter: '', after: from }) as Iterable<FileEntry>
    if (after === undefined) return await sendPage(exchange, html(pagesPage(name, files, tokenOf)))
    const last = to === '' ? undefined : parseToken(to)
    await sendPage(exchange, html(filesPage(name, upTo(files, last))))
  }

  /** Under the other name that wget knows it by. */
  async #file(exchange: Exchange, treeName: string, key: string): Promise<void> {
    const tree = this.#options.trees.find(({ name }) => name === treeName)
    if (tree === undefined || key === '') throw new S3Error('NoSuchKey')
    if (!exchange.caller.mayRead(treeName, key)) throw new S3Error('AccessDenied')
    const file = (await tree.files.open(key)) ?? (await openElsewhere(exchange, tree, key))
    if (file === undefined) throw new S3Error('NoSuchKey', undefined, { Key: key })
    try {
      await answerFile(exchange, tree, asBytes(file), { clock: this.#options.clock })
    } finally {
      await file.close()
    }
  }

  #readme(exchange: Exchange): Page {
    const trees = this.#readable(exchange).map(({ name }) => name)
    const children = this.#missing.segments(exchange.caller)
    return { type: 'text/plain; charset=utf-8', pieces: [readme(this.#base(exchange), trees, children)] }
  }

  #readable({ caller }: Exchange): readonly ServedTree[] {
    return this.#options.trees.filter(({ name }) => caller.readable(name).length > 0)
  }

  #base(exchange: Exchange): string {
    return this.#options.publicUrl?.replace(/\/$/, '') ?? `http://${hostOf(exchange)}`
  }
}

function html(pieces: Iterable<string>): Page {
  return { type: 'text/html; charset=utf-8', pieces }
}

function* upTo(files: Iterable<FileEntry>, last: string | undefined): Generator<FileEntry, void> {
  for (const file of files) {
    if (last !== undefined && compareKeys(file.key, last) > 0) return
    yield file
  }
}

/** No page, whatever is in it: wget would follow its links, and fetch what nobody misses. */
function asBytes(file: OpenedFile): OpenedFile {
  const { entry, facts, bytes } = file
  const headers = { ...facts?.headers, 'content-type': 'application/octet-stream' }
  return {
    entry,
    facts: { ...facts, headers },
    bytes,
    place: async () => file.place(),
    read: (start, end, options) => file.read(start, end, options),
    close: async () => file.close(),
  }
}

function redirect({ response, requestId }: Exchange, location: string): void {
  response.writeHead(301, { location, 'content-length': 0, 'x-amz-request-id': requestId }).end()
}

/** As fast as whoever asked reads it, and others are answered meanwhile: it can be long. */
async function sendPage(exchange: Exchange, { type, pieces }: Page): Promise<void> {
  const { response, requestId, method, signal } = exchange
  const sent = begun(inPieces(pieces))
  response.writeHead(200, {
    'content-type': type,
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
    'x-amz-request-id': requestId,
  })
  if (method === 'HEAD') return void response.end()
  for (const piece of sent) {
    if (response.destroyed) throw new ClientGone()
    if (piece === '' || response.write(piece)) await setImmediate()
    else await once(response, 'drain', { signal })
  }
  response.end()
}
