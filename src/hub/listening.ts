import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface Listening {
  readonly host: string
  readonly port: number
  readonly url: string
}

const SWEEP_MS = 100

/** Rejects with `PORT_TAKEN` when another program listens there. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<Listening> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EADDRINUSE') throw error
    throw new FlotillaError('PORT_TAKEN', `${host}:${port} is taken by another program`, {
      hint: `Stop the program that listens on ${host}:${port}, or choose another port.`,
      cause: error,
    })
  }
  const taken = (app.server.address() as AddressInfo).port
  return { host, port: taken, url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}` }
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
