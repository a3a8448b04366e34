import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { HubLimits } from './limits.ts'
import { cannotListen, type Listening } from './listening.ts'

/** Where a face of the hub is served over TLS, besides the hub's own address. */
export interface SecureAddress {
  readonly host: string
  readonly port: number
  /** In PEM, the certificate with those that it needs to be believed. */
  readonly certificate: Buffer
  readonly key: Buffer
  /** What is served there: nothing but paths below it. */
  readonly prefix: `/${string}`
}

export interface SecureListening extends Listening {
  /** Waits so long for requests under way. */
  close(ms: number): Promise<void>
}

export interface SecureDeps {
  readonly app: FastifyInstance
  readonly limits: HubLimits
  readonly clock: Clock
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>
}

/**
 * Serves the routes of the app over TLS. Rejects with `PORT_TAKEN` and `CONFIG_INVALID` as listening does, and with the latter for a key
 * and a certificate that do not go together.
 */
export async function listenSecurely(
  { host, port, certificate, key, prefix }: SecureAddress,
  { app, limits, clock, upgrade }: SecureDeps,
): Promise<SecureListening> {
  await app.ready()
  const server = secureServer({ certificate, key }, limits)
  server.maxConnections = limits.connections
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('request', (request, response) => {
    if (request.url?.startsWith(`${prefix}/`) === true) app.routing(request, response)
    else response.writeHead(404, { 'content-length': 0, connection: 'close' }).end()
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void upgrade(request, socket, head).catch(() => socket.destroy())
  })
  server.listen({ host, port })
  await once(server, 'listening').catch((error: unknown) => {
    throw cannotListen(error, host, port)
  })
  const taken = (server.address() as AddressInfo).port
  return {
    host,
    port: taken,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close: async (ms) => {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const done = new AbortController()
      const cutOff = async (): Promise<void> => {
        if (await sleepQuietly(clock, ms, done.signal)) for (const socket of sockets) socket.destroy()
      }
      const late = cutOff()
      await closed
      done.abort()
      await late
    },
  }
}

function secureServer({ certificate, key }: Pick<SecureAddress, 'certificate' | 'key'>, limits: HubLimits) {
  try {
    return createServer({
      cert: certificate,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: limits.headersMs,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(limits.headersMs / 4, 1000),
    })
  } catch (error) {
    throw new FlotillaError('CONFIG_INVALID', `the certificate and its key cannot be used: ${messageOf(error)}`, {
      hint: 'Both are files in PEM, and the key is that of the certificate.',
      cause: error,
    })
  }
}
