import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PEER_PATH } from '../../src/core/files/peer-wire.ts'
import { silent } from '../../src/core/log.ts'
import type { PeerCall, PeerTree } from '../../src/fileserver/peer/peer-call.ts'
import { PeerService } from '../../src/fileserver/peer/peer-service.ts'
import { parseTarget } from '../../src/lib/s3/target.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

export interface PeerServer {
  readonly url: string
  readonly service: PeerService
  /** How many answers are under way. */
  waiting(): number
  close(): Promise<void>
}

export interface PeerServerOptions {
  /** What may be read of a tree; everything unless told. */
  readonly readable?: (tree: string) => readonly string[]
  /** Nothing may be fed unless told. */
  readonly mayFeed?: (tree: string) => boolean
}

/** A file service that answers only what Flotilla nodes ask each other. */
export async function openPeerServer(trees: readonly PeerTree[], options: PeerServerOptions = {}): Promise<PeerServer> {
  const { readable = () => [''], mayFeed = () => false } = options
  const service = new PeerService({ trees: () => trees, clock: systemClock, log: silent })
  let waiting = 0
  const handle = async (call: PeerCall): Promise<void> => {
    waiting++
    await service.handle(call)
    waiting--
  }
  const server = createServer((request, response) => {
    const target = parseTarget(request.url ?? '/')
    const call = { request, response, target, readable, writable: () => [''], mayFeed }
    if (target.rawPath.startsWith(PEER_PATH)) void handle(call)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    service,
    waiting: () => waiting,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      service.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
