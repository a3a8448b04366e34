import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Backend } from '../../src/core/routing/model.ts'

/** What a server behind a proxy was asked. */
export interface Seen {
  readonly method: string
  /** As it came over the wire. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/**
 * A server behind a proxy that tells what it was asked: answers are JSON of `Seen` with the node's name. Under `/slow/` an
 * answer takes its time, piece by piece. It lies in the headers that only the proxy may set.
 */
export interface TestBackend extends Backend {
  /** Every request so far but those for the version, those without an answer too. */
  readonly seen: readonly Seen[]
  /** From now on connections are taken, and nothing is answered. */
  hang(): void
  /** From now on requests are read, and then the connection breaks. */
  breakOff(): void
  /** From now on every answer has this status. */
  fail(status: number): void
  /** As in the beginning. */
  heal(): void
  /** Nothing listens any more, as after a crash; `start` takes the same port again. */
  stop(): Promise<void>
  start(): Promise<void>
}

export const SLOW_PIECES = 20
const PIECE_MS = 50

export async function startBackend(node: string, id: number): Promise<TestBackend> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  let manner: 'well' | 'hang' | 'break' | number = 'well'
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const one: Seen = { method, url, headers, body }
    // A proxy that looks after its servers itself asks for this page all the time.
    if (url !== '/erddap/version') seen.push(one)
    if (manner === 'hang') return
    if (manner === 'break') return void request.socket.destroy()
    response.writeHead(manner === 'well' ? 200 : manner, {
      'content-type': 'application/json',
      'x-served-by': 'a liar',
      'x-data-revision': '999999',
    })
    if (url.startsWith('/slow/')) await slowly(response)
    response.end(JSON.stringify({ node, ...one }))
  }
  const open = async (port: number): Promise<Server> => {
    const server = createServer((request, response) => {
      answer(request, response).catch(() => response.destroy())
    })
    server.keepAliveTimeout = 60_000
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    return server
  }
  let server = await open(0)
  const { port } = server.address() as AddressInfo
  return {
    node,
    id,
    host: '127.0.0.1',
    port,
    weight: 100,
    state: 'up',
    without: new Set(),
    seen,
    hang: () => void (manner = 'hang'),
    breakOff: () => void (manner = 'break'),
    fail: (status) => void (manner = status),
    heal: () => void (manner = 'well'),
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
    start: async () => {
      server = await open(port)
    },
  }
}

async function slowly(response: ServerResponse): Promise<void> {
  for (let piece = 0; piece < SLOW_PIECES; piece++) {
    response.write(`${' '.repeat(1000)}\n`)
    await delay(PIECE_MS)
  }
}
