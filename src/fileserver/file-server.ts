import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { PEER_PATH } from '../core/files/peer-wire.ts'
import type { Service } from '../core/service.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { parseTarget } from '../lib/s3/target.ts'
import { aborted, sleepQuietly } from '../lib/waiting.ts'
import { Authenticator, InvalidApiKey } from './authenticate.ts'
import { toS3Error } from './errors.ts'
import { ClientGone, Exchange, type RequestHead } from './exchange.ts'
import { FiledistPages } from './filedist-pages.ts'
import { handedBy, isQuestion } from './handed.ts'
import { listenOnSocket } from './nginx-socket.ts'
import { Operations } from './operations.ts'
import { type FileServerLimits, type FileServerOptions, LIMITS } from './options.ts'
import { PeerService } from './peer/peer-service.ts'
import { refuse } from './refusal.ts'
import { checkHead, loggedUrl } from './request-head.ts'
import { Router } from './router.ts'
import { mostlySent } from './send-file.ts'

/** How long answers under way may take when the service is told to stop. */
const STOP_MS = 10_000
const SWEEP_MS = 100

/** What a file service has done since it started. */
export interface Figures {
  readonly requests: number
  /** Answered with an error of whoever asked. */
  readonly refused: number
  /** Of these, told to slow down. */
  readonly slowedDown: number
  /** Answered with an error of ours, or cut off by one. */
  readonly failed: number
  readonly active: number
}

/** Serves trees as S3 does, as Open-Meteo's server does, and to other nodes: one listener for all of them. */
export class FileServer implements Service {
  readonly name = 'files'
  readonly #options: FileServerOptions
  readonly #limits: FileServerLimits
  readonly #router: Router
  readonly #authenticator: Authenticator
  readonly #operations: Operations
  readonly #peers: PeerService
  readonly #pages: FiledistPages
  readonly #figures = { requests: 0, refused: 0, slowedDown: 0, failed: 0, active: 0, uploads: 0 }
  readonly #idPrefix = randomBytes(4).toString('hex').toUpperCase()

  constructor(options: FileServerOptions) {
    const { trees, clock, log, access, domain, sendfile, publicUrl } = options
    this.#options = options
    this.#limits = { ...LIMITS, ...options.limits }
    this.#router = new Router(trees, domain)
    this.#authenticator = new Authenticator(access, clock)
    this.#operations = new Operations({ trees, sendfile, clock, limits: this.#limits }, this.#router)
    this.#pages = new FiledistPages({ trees, clock, publicUrl })
    this.#peers = new PeerService({ trees: () => trees, clock, log })
  }

  get figures(): Figures {
    const { requests, refused, slowedDown, failed, active } = this.#figures
    return { requests, refused, slowedDown, failed, active }
  }

  /** Rejects with `PORT_TAKEN` when another program listens there, `CONFIG_INVALID` when it is no address to listen on. */
  async run(signal: AbortSignal): Promise<void> {
    const server = this.#server(false)
    const { host, port, nginxSocket, onListening } = this.#options
    const address = await listen(server, host, port)
    const ofNginx = nginxSocket === undefined ? undefined : await this.#ofNginx(nginxSocket, server)
    onListening?.(address)
    await aborted(signal)
    this.#peers.close()
    await ofNginx?.remove()
    const servers = ofNginx === undefined ? [server] : [server, ofNginx.server]
    await Promise.all(servers.map(async (one) => this.#stop(one)))
  }

  async #ofNginx(path: string, beside: Server): Promise<{ server: Server; remove: () => Promise<void> }> {
    const server = this.#server(true)
    try {
      return { server, remove: await listenOnSocket(server, path) }
    } catch (error) {
      for (const one of [server, beside]) one.close()
      throw error
    }
  }

  #server(isNginx: boolean): Server {
    const { headerBytes, headMs, idleMs, silenceMs, connections } = this.#limits
    // Not by an import statement: see lib/http.ts.
    const server = process.getBuiltinModule('node:http').createServer({
      maxHeaderSize: headerBytes,
      headersTimeout: headMs,
      // A large file takes as long as it takes; what is watched is that it goes on.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(headMs, 1000),
      keepAliveTimeout: idleMs,
      noDelay: true,
    })
    server.maxConnections = connections
    server.setTimeout(silenceMs)
    const handle = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#handle(request, response, isNginx)
    server.on('request', handle)
    // The word to send the body is said when it is wanted, which somebody without rights never hears.
    server.on('checkContinue', handle)
    return server
  }

  async #stop(server: Server): Promise<void> {
    const { clock } = this.#options
    const closed = once(server, 'close')
    const done = new AbortController()
    const untilMs = clock.monotonicMs() + STOP_MS
    server.close()
    const sweep = async (): Promise<void> => {
      do {
        if (this.#figures.active === 0 || clock.monotonicMs() >= untilMs) server.closeAllConnections()
        else server.closeIdleConnections()
      } while (await sleepQuietly(clock, SWEEP_MS, done.signal))
    }
    const sweeping = sweep()
    await closed
    done.abort()
    await sweeping
  }

  async #handle(request: IncomingMessage, response: ServerResponse, isNginx: boolean): Promise<void> {
    if (response.socket === null && !(await hasTurn(request, response))) return
    const figures = this.#figures
    const requestId = this.#idPrefix + (++figures.requests).toString(16).toUpperCase().padStart(8, '0')
    const isUpload = request.method === 'PUT' || request.method === 'POST'
    // A connection that breaks is seen by whoever reads from it or writes to it.
    response.on('error', ignore)
    figures.active++
    if (isUpload) figures.uploads++
    try {
      if (figures.active > this.#limits.requests || figures.uploads > this.#limits.uploads) {
        figures.slowedDown++
        throw new S3Error('SlowDown')
      }
      checkHead(request)
      const handed = isNginx ? handedBy(request) : undefined
      await this.#answer({ request, response, requestId, target: parseTarget(request.url ?? ''), handed })
      await mostlySent(response)
    } catch (error) {
      // Whatever it is, nginx then lets the body come the other way, on which the client is told.
      if (isNginx && isQuestion(request)) response.writeHead(403).end()
      else this.#fail(request, response, error, requestId)
    } finally {
      figures.active--
      if (isUpload) figures.uploads--
    }
  }

  async #answer(head: RequestHead): Promise<void> {
    const { request, response, target } = head
    const bucketOfHost = this.#router.bucketOfHost(request.headers.host)
    const authenticated = this.#authenticator.authenticate(request, target, bucketOfHost)
    if (head.handed === undefined && target.rawPath.startsWith(PEER_PATH)) {
      const { caller } = authenticated
      if (caller.isAnonymous && this.#options.trees.every(({ name }) => caller.readable(name).length === 0)) {
        throw new S3Error('AccessDenied')
      }
      if (request.headers.expect !== undefined) response.writeContinue()
      return await this.#peers.handle({
        request,
        response,
        target,
        readable: (tree) => caller.readable(tree),
        writable: (tree) => caller.writable(tree),
        mayFeed: (tree) => caller.mayFeed(tree),
      })
    }
    const exchange = new Exchange(head, authenticated)
    if (bucketOfHost === undefined && FiledistPages.isFor(target.path)) return await this.#pages.answer(exchange)
    return await this.#operations.carryOut(exchange, this.#router.place(target.path, bucketOfHost))
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown, requestId: string): void {
    const { log } = this.#options
    const isGone = error instanceof ClientGone || response.destroyed
    if (isGone) {
      response.destroy()
      return
    }
    const known = error instanceof InvalidApiKey ? error : toS3Error(error)
    const fields = { method: request.method, url: loggedUrl(request.url ?? ''), requestId }
    if (known === undefined) log.error('a request failed', { ...fields, error: messageOf(error) })
    if (known === undefined || response.headersSent) this.#figures.failed++
    else this.#figures.refused++
    if (response.headersSent) {
      if (known !== undefined) log.warn('an answer was cut off', { ...fields, error: known.message })
      // Whoever reads sees that bytes are missing: nothing after this may look like an end.
      response.destroy()
      return
    }
    refuse(request, response, known ?? new S3Error('InternalError'), requestId)
  }
}

/**
 * Requests may come before those before them on the connection were answered, a thousand in one packet. Each is looked at when
 * its answer can be sent, for an answer that waits costs memory. False when the connection is gone instead.
 */
async function hasTurn(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  return await new Promise((resolve) => {
    response.once('socket', () => resolve(true))
    request.once('close', () => resolve(false))
    request.on('error', ignore)
  })
}

async function listen(server: Server, host: string, port: number) {
  server.listen({ host, port, backlog: 1024 })
  await once(server, 'listening').catch((error: unknown) => {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      const hint = `Stop the program that listens on ${host}:${port}, or choose another port.`
      throw new FlotillaError('PORT_TAKEN', `${host}:${port} is taken by another program`, { hint, cause: error })
    }
    throw new FlotillaError('CONFIG_INVALID', `cannot listen on ${host}:${port}: ${messageOf(error)}`, { cause: error })
  })
  const taken = (server.address() as AddressInfo).port
  return { host, port: taken, url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}` }
}

function ignore(): void {}
