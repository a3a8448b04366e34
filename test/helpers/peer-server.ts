import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PEER_PATH } from '../../src/core/files/peer-wire.ts'
import { silent } from '../../src/core/log.ts'
import type { PeerCall, PeerTree } from '../../src/fileserver/peer/peer-call.ts'
import { PeerService } from '../../src/fileserver/peer/peer-service.ts'
import { parseTarget, type Target } from '../../src/lib/s3/target.ts'
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
}

/** A file service that answers only what Flotilla nodes ask each other, and gives out files. */
export async function openPeerServer(trees: readonly PeerTree[], options: PeerServerOptions = {}): Promise<PeerServer> {
  const { readable = () => [''] } = options
  const service = new PeerService({ trees: () => trees, clock: systemClock, log: silent })
  let waiting = 0
  const handle = async (call: PeerCall): Promise<void> => {
    waiting++
    await service.handle(call)
    waiting--
  }
  const server = createServer((request, response) => {
    const target = parseTarget(request.url ?? '/')
    const call = { request, response, target, readable }
    if (target.rawPath.startsWith(PEER_PATH)) void handle(call)
    else void sendFile(request, response, target, trees)
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

async function sendFile(
  { headers }: IncomingMessage,
  response: ServerResponse,
  { path }: Target,
  trees: readonly PeerTree[],
): Promise<void> {
  const slash = path.indexOf('/', 1)
  const tree = trees.find(({ name }) => name === path.slice(1, slash))
  const file = await tree?.files.open(path.slice(slash + 1))
  if (file === undefined) {
    response.writeHead(404).end()
    return
  }
  const { size, etag } = file.entry
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
  const [start, end] = first === undefined ? [0, size] : [Number(first), Math.min(Number(last) + 1, size)]
  if (headers['if-match'] !== undefined && headers['if-match'] !== `"${etag}"`) response.writeHead(412).end()
  else if (start >= size && size > 0) response.writeHead(416).end()
  else {
    const range = first === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }
    response.writeHead(first === undefined ? 200 : 206, { etag: `"${etag}"`, 'content-length': end - start, ...range })
    for await (const chunk of file.read(start, end)) response.write(chunk)
    response.end()
  }
  await file.close()
}
