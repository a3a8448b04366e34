import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../../core/clock.ts'
import { FlotillaError, isError, messageOf } from '../../../core/errors.ts'
import type { Logger } from '../../../core/log.ts'
import type { Op } from '../../../core/op.ts'
import { isForEveryNode } from '../../../core/routing/key.ts'
import type { KeyRule } from '../../../core/routing/model.ts'
import { requestTarget } from '../../../core/routing/target.ts'
import type { Service } from '../../../core/service.ts'
import { checkRequestHead } from '../../../lib/request-head.ts'
import type { Secret } from '../../../lib/secret.ts'
import { aborted, sleepQuietly } from '../../../lib/waiting.ts'
import { isFlagKey } from './flag-key.ts'

export interface FlagListenerOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  readonly rules: readonly KeyRule[]
  /** Of the public ERDDAP: one of http, one of https, or both. */
  readonly urls: readonly string[]
  /** ERDDAP's `flagKeyKey`, the same on every node. */
  readonly key: Secret
  /** Asks every node to load the dataset again. */
  readonly reload: (dataset: string, op: Op) => Promise<void>
  readonly onListening?: (port: number) => void
  readonly clock: Clock
  readonly log: Logger
}

const LIMITS = {
  connections: 256,
  headerBytes: 16_384,
  headersMs: 10_000,
  requestMs: 30_000,
  silenceMs: 60_000,
} as const
/** As long as ERDDAP itself takes over a wrong key; with http a key has no more than 32 bits. */
const WRONG_MS = 5000
/** So many wrong keys wait at a time: beyond, nothing is looked at any more. */
const WAITING_MAX = { ofClient: 4, ofAll: 128 } as const
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}$/

interface Answer {
  readonly status: number
  readonly text: string
}

const WRONG = { incomplete: 'Incomplete request.', id: 'Invalid datasetID.', key: 'Invalid flagKey.' } as const

/**
 * Answers `setDatasetFlag.txt` for the whole cluster, in ERDDAP's own words: a flag that reached one node alone would leave
 * the others with old data. Whoever has the dataset's flagKey may ask for a soft reload, and for nothing else.
 */
export class FlagListener implements Service {
  readonly name = 'flags'
  readonly #options: FlagListenerOptions
  readonly #waiting = new Map<string, number>()
  readonly #reloads = new Map<string, Promise<Answer>>()

  constructor(options: FlagListenerOptions) {
    this.#options = options
  }

  /** Rejects with `PORT_TAKEN` when another program has the port. */
  async run(signal: AbortSignal): Promise<void> {
    const server = process.getBuiltinModule('node:http').createServer(
      {
        maxHeaderSize: LIMITS.headerBytes,
        headersTimeout: LIMITS.headersMs,
        requestTimeout: LIMITS.requestMs,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: LIMITS.silenceMs,
      },
      (request, response) => void this.#respond(request, response, signal),
    )
    server.maxConnections = LIMITS.connections
    server.setTimeout(LIMITS.silenceMs)
    const { host, onListening = () => undefined, log } = this.#options
    const port = await listen(server, this.#options)
    log.info('flags for every node are taken here', { host, port })
    onListening(port)
    await aborted(signal)
    server.close()
    server.closeAllConnections()
  }

  async #respond(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { status, text } = await this.#answer(request, signal)
    // A body that nobody reads must not be taken for the next request.
    const close = request.complete ? {} : { connection: 'close' }
    response.writeHead(status, { 'content-type': 'text/plain;charset=UTF-8', 'cache-control': 'no-store', ...close })
    response.end(request.method === 'HEAD' ? undefined : text)
  }

  async #answer(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const { url = '' } = request
    try {
      checkRequestHead(request)
    } catch (error) {
      return { status: 400, text: `ERROR: ${messageOf(error)}` }
    }
    if (!isForEveryNode(url, this.#options.rules))
      return { status: 404, text: 'ERROR: There is nothing under that path.' }
    if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, text: 'ERROR: Only GET is taken.' }
    const client = clientOf(request)
    if (this.#isCrowded(client)) return { status: 429, text: 'ERROR: Too many requests with a wrong flagKey.' }
    const query = requestTarget(url)?.query
    const dataset = query?.('datasetid')?.trim() ?? ''
    const wrong = this.#wrong(dataset, query?.('flagkey')?.trim() ?? '')
    if (wrong === undefined) return await this.#reload(dataset, signal)
    await this.#wait(client, signal)
    return { status: 200, text: `ERROR: ${wrong}` }
  }

  #wrong(dataset: string, shown: string): string | undefined {
    const { urls, key } = this.#options
    if (dataset === '' || shown === '') return WRONG.incomplete
    if (!FILE_NAME.test(dataset)) return WRONG.id
    return isFlagKey(shown, urls, dataset, key) ? undefined : WRONG.key
  }

  /** Requests for one dataset that come together are one. */
  async #reload(dataset: string, signal: AbortSignal): Promise<Answer> {
    const running = this.#reloads.get(dataset) ?? this.#ask(dataset, signal)
    this.#reloads.set(dataset, running)
    try {
      return await running
    } finally {
      this.#reloads.delete(dataset)
    }
  }

  async #ask(dataset: string, signal: AbortSignal): Promise<Answer> {
    const { reload, log } = this.#options
    try {
      await reload(dataset, { signal })
      log.info('every node is asked to load a dataset again', { dataset })
    } catch (error) {
      // ERDDAP takes flags for what it does not know, and removes them.
      if (!isError(error, 'NOT_FOUND')) {
        log.warn('a flag could not be passed on', { dataset, error: messageOf(error) })
        return { status: 503, text: 'ERROR: The flag could not be passed on to every node; try again later.' }
      }
    }
    return { status: 200, text: 'SUCCESS: The flag has been set.' }
  }

  #isCrowded(client: string): boolean {
    const all = [...this.#waiting.values()].reduce((sum, count) => sum + count, 0)
    return all >= WAITING_MAX.ofAll || (this.#waiting.get(client) ?? 0) >= WAITING_MAX.ofClient
  }

  async #wait(client: string, signal: AbortSignal): Promise<void> {
    this.#waiting.set(client, (this.#waiting.get(client) ?? 0) + 1)
    await sleepQuietly(this.#options.clock, WRONG_MS, signal)
    const left = (this.#waiting.get(client) ?? 1) - 1
    if (left === 0) this.#waiting.delete(client)
    else this.#waiting.set(client, left)
  }
}

/** What the proxy in front says last, which no client can choose. */
function clientOf({ headers, socket }: IncomingMessage): string {
  const said = headers['x-forwarded-for']
  return (
    String(said ?? '')
      .split(',')
      .at(-1)
      ?.trim() ||
    (socket.remoteAddress ?? '')
  )
}

async function listen(server: Server, { host, port }: FlagListenerOptions): Promise<number> {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new FlotillaError('PORT_TAKEN', `another program listens on ${host}:${port}`, { cause: error })
  }
  return (server.address() as AddressInfo).port
}
