import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

/** A wire between a client and a server that a test can cut, clog or narrow. */
export interface TcpProxy {
  readonly url: string
  /** That clients have said, over all connections together. */
  readonly bytesToServer: number
  /** From now on nothing gets through, in either direction, although every connection stays open. */
  clog(): void
  /** What the server says is lost from now on; what the client says still arrives. */
  muteServer(): void
  /** Lets everything through again, what was held back included, but not what was lost. */
  heal(): void
  /** From now on so many bytes a second get to the server, over all connections together; `undefined`: as many as it takes. */
  narrow(bytesPerSecond: number | undefined): void
  /** Resets every connection. */
  cut(): void
  close(): Promise<void>
}

export async function openTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<readonly [Socket, Socket]>()
  let isClogged = false
  let isMute = false
  let rate: number | undefined
  let freeAtMs = 0
  let bytesToServer = 0
  const delayed = (client: Socket, bytes: number): void => {
    if (rate === undefined) return
    const nowMs = performance.now()
    freeAtMs = Math.max(freeAtMs, nowMs) + (bytes / rate) * 1000
    client.pause()
    setTimeout(() => void (isClogged || client.resume()), freeAtMs - nowMs)
  }
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const pair = [client, upstream] as const
    pairs.add(pair)
    client.on('data', (chunk: Buffer) => {
      bytesToServer += chunk.byteLength
      upstream.write(chunk)
      delayed(client, chunk.byteLength)
    })
    upstream.on('data', (chunk) => void (isMute || client.write(chunk)))
    for (const [one, other] of [pair, [upstream, client] as const]) {
      one.on('error', () => undefined)
      one.on('close', () => {
        other.destroy()
        pairs.delete(pair)
      })
    }
    if (isClogged) for (const socket of pair) socket.pause()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const each = (act: (socket: Socket) => void): void => {
    for (const pair of pairs) for (const socket of pair) act(socket)
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytesToServer() {
      return bytesToServer
    },
    clog: () => {
      isClogged = true
      each((socket) => socket.pause())
    },
    muteServer: () => {
      isMute = true
    },
    heal: () => {
      isClogged = isMute = false
      each((socket) => socket.resume())
    },
    narrow: (bytesPerSecond) => {
      rate = bytesPerSecond
    },
    cut: () => each((socket) => socket.resetAndDestroy()),
    close: async () => {
      each((socket) => socket.destroy())
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
