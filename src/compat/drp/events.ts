import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { shownIn } from '../../hub/auth.ts'
import type { Caller } from '../../hub/caller.ts'
import type { HubContext } from '../../hub/context.ts'
import { PREFIX } from './answers.ts'
import { Feed } from './feed.ts'
import { Subscriber } from './subscriber.ts'

const MESSAGE_BYTES = 4096
const PING_MS = 20_000

/** `/api/v3/ws`: what happens to profiles and machines, told to those who registered for it, as far as they may see it. */
export class Events {
  #server: Promise<WebSocketServer> | undefined
  readonly #feeds = new WeakMap<HubContext, Feed>()

  async upgrade(hub: HubContext, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    const path = request.url?.split('?')[0]
    if (path !== `${PREFIX}/ws`) return refuse(socket, '404 Not Found')
    const { authorization } = request.headers
    if (authorization === undefined) return refuse(socket, '401 Unauthorized', 'www-authenticate: dr-provision\r\n')
    const caller = await hub.tokens.find(shownIn(authorization, true) ?? '')
    // A browser would send what it keeps for this address from any page.
    if (caller === undefined || request.headers.origin !== undefined) return refuse(socket, '403 Forbidden')
    if (hub.closing.aborted) return refuse(socket, '503 Service Unavailable')
    const server = await (this.#server ??= load())
    const feed = this.#feeds.get(hub) ?? new Feed(hub)
    this.#feeds.set(hub, feed)
    server.handleUpgrade(request, socket, head, (opened) => serve(hub, feed, caller, opened))
  }
}

/** Loaded by the first who connects. */
async function load(): Promise<WebSocketServer> {
  const { WebSocketServer: Server } = await import('ws')
  return new Server({ noServer: true, maxPayload: MESSAGE_BYTES, perMessageDeflate: false, clientTracking: false })
}

function refuse(socket: Duplex, status: string, header = ''): void {
  socket.end(`HTTP/1.1 ${status}\r\n${header}connection: close\r\ncontent-length: 0\r\n\r\n`)
}

function serve(hub: HubContext, feed: Feed, caller: Caller, socket: WebSocket): void {
  let slot: ReturnType<HubContext['watches']['enter']>
  try {
    slot = hub.watches.enter(caller.id)
  } catch {
    socket.close(1013, 'too many connections')
    return
  }
  const subscriber = new Subscriber(socket, caller, () => hub.clock.nowMs())
  const ends = AbortSignal.any([slot.evicted, caller.ended, hub.closing])
  const end = (): void => socket.close(1001, 'ended')
  ends.addEventListener('abort', end, { once: true })
  const expiry = setInterval(() => {
    if (hub.tokens.isExpired(caller)) end()
    else if (!subscriber.ping()) socket.terminate()
  }, PING_MS)
  socket.on('close', () => {
    clearInterval(expiry)
    ends.removeEventListener('abort', end)
    feed.leave(subscriber)
    slot.leave()
  })
  socket.on('error', () => socket.terminate())
  feed.enter(subscriber)
  socket.on('message', (data) => {
    // What is said is acknowledged when the feed has begun: nothing is missed that is done after that.
    feed.ready.then(
      () => subscriber.take(String(data as Buffer)),
      () => socket.terminate(),
    )
  })
}
