import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PEER_PATH } from '../../src/core/files/peer-wire.ts'
import { silent } from '../../src/core/log.ts'
import type { PeerTree } from '../../src/fileserver/peer/peer-call.ts'
import { PeerService } from '../../src/fileserver/peer/peer-service.ts'
import { parseTarget } from '../../src/lib/s3/target.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

export interface PeerServer {
  readonly url: string
  close(): Promise<void>
}

export interface PeerServerOptions {
  /** What may be read of a tree; everything unless told. */
  readonly readable?: (tree: string) => readonly string[]
}

/** A file service that answers only what Flotilla nodes ask each other. */
export async function openPeerServer(trees: readonly PeerTree[], options: PeerServerOptions = {}): Promise<PeerServer> {
  const { readable = () => [''] } = options
  const service = new PeerService({ trees: () => trees, clock: systemClock, log: silent })
  const server = createServer((request, response) => {
    const target = parseTarget(request.url ?? '/')
    if (target.rawPath.startsWith(PEER_PATH)) void service.handle({ request, response, target, readable })
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      service.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
