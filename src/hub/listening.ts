import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface Listening {
  readonly host: string
  readonly port: number
  readonly url: string
}

const SWEEP_MS = 100

/** Rejects with `PORT_TAKEN` when another program listens there, `CONFIG_INVALID` when it is no address to listen on. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<Listening> {
  await app.listen({ host, port }).catch((error: unknown) => {
    throw cannotListen(error, host, port)
  })
  const taken = (app.server.address() as AddressInfo).port
  return { host, port: taken, url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}` }
}

/** Rejects as `listen` does, where nothing should be made for a hub that then could not start. */
export async function tryAddress({ host, port }: Pick<Listening, 'host' | 'port'>): Promise<void> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening').catch((error: unknown) => {
    throw cannotListen(error, host, port)
  })
  server.close()
  await once(server, 'close')
}

/** What a server's failure to listen means. */
export function cannotListen(error: unknown, host: string, port: number): FlotillaError {
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return new FlotillaError('PORT_TAKEN', `${host}:${port} is taken by another program`, {
      hint: `Stop the program that listens on ${host}:${port}, or choose another port.`,
      cause: error,
    })
  }
  return new FlotillaError('CONFIG_INVALID', `cannot listen on ${host}:${port}: ${messageOf(error)}`, {
    hint: HINTS[code] ?? 'Check the address.',
    cause: error,
  })
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'This machine has no such address; 0.0.0.0 stands for all that it has.',
  EACCES: 'Ports below 1024 are for root: choose a higher one.',
}

/** Stops listening, and waits for the requests under way; what is left of them after `ms` is cut off. */
export async function stopListening(
  app: FastifyInstance,
  unused: ReadonlySet<Socket>,
  clock: Clock,
  ms: number,
): Promise<void> {
  const done = new AbortController()
  const deadlineMs = clock.monotonicMs() + ms
  const sweeping = async (): Promise<void> => {
    do {
      for (const socket of unused) socket.destroy()
      // A connection that is kept alive becomes idle only when its last answer has ended.
      if (clock.monotonicMs() >= deadlineMs) app.server.closeAllConnections()
      else app.server.closeIdleConnections()
    } while (await sleepQuietly(clock, SWEEP_MS, done.signal))
  }
  const closed = app.close()
  const swept = sweeping()
  await closed
  done.abort()
  await swept
}

/** Connections that never carried a request: clients open them in advance, and the server does not count them as idle. */
export function unusedConnections(server: Server): ReadonlySet<Socket> {
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.on('close', () => unused.delete(socket))
  })
  server.on('request', ({ socket }) => unused.delete(socket))
  return unused
}
