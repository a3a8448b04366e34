import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Hint, isHint } from '../core/bus.ts'
import { ERRORS, FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import { isSha256, sha256 } from '../lib/hash.ts'
import { readBody } from '../lib/http.ts'
import { checkRequestHead } from '../lib/request-head.ts'
import type { Secret } from '../lib/secret.ts'
import { aborted } from '../lib/waiting.ts'
import type { BlobStore } from '../releases/blobs.ts'

export interface ListenerOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  readonly blobs: Pick<BlobStore, 'open' | 'sizes'>
  /** The key that the nodes of the cluster share; undefined while it is not known. */
  readonly key: (op: Op) => Promise<Secret | undefined>
  readonly onHint: (hint: Hint) => void
  readonly onListening: (address: { readonly host: string; readonly port: number }) => void
  readonly log: Logger
}

const LIMITS = {
  connections: 128,
  /** Serving comes first: peers that fetch may not take the machine's disk and network for themselves. */
  blobsAtOnce: 8,
  hintBytes: 4096,
  headerBytes: 8192,
  headersMs: 10_000,
  requestMs: 30_000,
  silenceMs: 30_000,
} as const

/**
 * What a node offers to the others, if it is told to listen at all: its blobs, and an ear for hints. Whoever asks shows the
 * cluster's shared key; without it there is only `/healthz`, which says nothing but that somebody is there.
 *
 *     GET  /v1/blobs/<sha256>   200 and the bytes · 404 · 429 when too many are being fetched
 *     POST /v1/hint             204; the body is a hint: {"prefix": "desired/datasets", "revision": 12}
 *     GET  /healthz             200
 */
export class Listener implements Service {
  readonly name = 'listener'
  readonly #options: ListenerOptions
  #blobs = 0

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Rejects with `PORT_TAKEN` when another program has the port. */
  async run(signal: AbortSignal): Promise<void> {
    // Not by an import statement: see lib/http.ts.
    const server = process.getBuiltinModule('node:http').createServer(
      {
        maxHeaderSize: LIMITS.headerBytes,
        headersTimeout: LIMITS.headersMs,
        requestTimeout: LIMITS.requestMs,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: LIMITS.silenceMs,
      },
      (request, answer) => void this.#answer(request, answer, signal),
    )
    server.maxConnections = LIMITS.connections
    server.setTimeout(LIMITS.silenceMs)
    const { host, port } = await listen(server, this.#options)
    this.#options.onListening({ host, port })
    await aborted(signal)
    server.close()
    server.closeAllConnections()
  }

  async #answer(request: IncomingMessage, answer: ServerResponse, signal: AbortSignal): Promise<void> {
    answer.setHeader('cache-control', 'no-store')
    answer.setHeader('x-content-type-options', 'nosniff')
    try {
      checkRequestHead(request)
      if (request.method === 'GET' && request.url === '/healthz') {
        answer.setHeader('content-type', 'text/plain; charset=utf-8')
        answer.end('ok\n')
        return
      }
      await this.#authenticate(request, signal)
      await this.#route(request, answer, signal)
    } catch (error) {
      this.#refuse(request, answer, error)
    }
  }

  async #authenticate({ headers }: IncomingMessage, signal: AbortSignal): Promise<void> {
    const shown = /^Bearer ([\x21-\x7e]{1,256})$/.exec(headers.authorization ?? '')?.[1]
    const key = await this.#options.key({ signal })
    if (key === undefined) throw new FlotillaError('NOT_READY', 'this node does not know the key of its cluster yet')
    if (shown === undefined || !isEqual(shown, key)) {
      throw new FlotillaError('UNAUTHENTICATED', "this needs the key that the cluster's nodes share")
    }
  }

  async #route(request: IncomingMessage, answer: ServerResponse, signal: AbortSignal): Promise<void> {
    const { method, url = '' } = request
    const blob = /^\/v1\/blobs\/([^/?]*)$/.exec(url)?.[1]
    if (method === 'GET' && blob !== undefined) await this.#sendBlob(blob, answer, signal)
    else if (method === 'POST' && url === '/v1/hint') await this.#takeHint(request, answer)
    else throw new FlotillaError('NOT_FOUND', 'there is nothing under that path')
  }

  async #sendBlob(hash: string, answer: ServerResponse, signal: AbortSignal): Promise<void> {
    if (!isSha256(hash)) throw new FlotillaError('BAD_REQUEST', 'a blob is named by 64 hex digits in lower case')
    if (this.#blobs >= LIMITS.blobsAtOnce) throw new FlotillaError('RATE_LIMITED', 'too many blobs are being fetched')
    this.#blobs += 1
    try {
      const { blobs } = this.#options
      const size = (await blobs.sizes([hash], { signal })).get(hash)
      if (size === undefined) throw new FlotillaError('NOT_FOUND', 'this node does not hold that blob')
      const content = await blobs.open(hash, { signal })
      answer.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size })
      await pipeline(Readable.from(content, { objectMode: false }), answer, { signal })
    } finally {
      this.#blobs -= 1
    }
  }

  async #takeHint(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await readBody(request, LIMITS.hintBytes)
    const hint = parse(body.toString('utf8'))
    if (!isHint(hint)) throw new FlotillaError('BAD_REQUEST', 'the body is not a hint: {"prefix": …, "revision": …}')
    this.#options.onHint({ prefix: hint.prefix, revision: hint.revision })
    answer.writeHead(204).end()
  }

  #refuse(request: IncomingMessage, answer: ServerResponse, error: unknown): void {
    if (answer.headersSent || answer.destroyed) {
      // The receiver sees that bytes are missing: nothing after this may look like an end.
      answer.destroy()
      return
    }
    const known = isError(error)
    if (!known) this.#options.log.error('a request failed', { error: messageOf(error), path: request.url })
    const code = known ? error.code : 'INTERNAL'
    const body = { error: { code, message: known ? error.message : 'the log of this node says more' } }
    answer.writeHead(ERRORS[code].http, {
      'content-type': 'application/json',
      ...(code === 'RATE_LIMITED' && { 'retry-after': '1' }),
      // What is left of a body that nobody reads must not be taken for the next request.
      ...(!request.complete && { connection: 'close' }),
    })
    answer.end(JSON.stringify(body))
  }
}

async function listen(
  server: Server,
  { host, port }: Pick<ListenerOptions, 'host' | 'port'>,
): Promise<{ readonly host: string; readonly port: number }> {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw taken
      ? new FlotillaError('PORT_TAKEN', `another program listens on ${host}:${port}`, { cause: error })
      : error
  }
  return { host, port: (server.address() as AddressInfo).port }
}

/** Takes the same time whatever is shown: digests are of one length. */
function isEqual(shown: string, key: Secret): boolean {
  return timingSafeEqual(Buffer.from(sha256(shown)), Buffer.from(sha256(key.reveal())))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
