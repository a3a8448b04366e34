import { connect } from 'node:net'

export interface HttpLoad {
  readonly url: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** The body of one request: which connection sends it, and how many it sent before. */
  readonly body: (connection: number, turn: number) => string
  readonly connections: number
  readonly ms: number
}

/**
 * POSTs over kept-alive connections, each waiting for its answer before it sends again; answers the requests a second.
 * Plain sockets instead of an HTTP client: what is measured is the server, on a machine that runs both.
 */
export async function requestsPerSecond(load: HttpLoad): Promise<number> {
  const started = performance.now()
  const counts = await Promise.all(Array.from({ length: load.connections }, (_, index) => keepAsking(load, index)))
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - started) / 1000)
}

function keepAsking({ url, path, headers = {}, body, ms }: HttpLoad, connection: number): Promise<number> {
  const { hostname, port, host } = new URL(url)
  const end = performance.now() + ms
  const lines = Object.entries({ host, 'content-type': 'application/json', ...headers })
  const head = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    let turn = 0
    let received = ''
    const ask = (): void => {
      const text = body(connection, turn)
      socket.write(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
    }
    socket.on('connect', ask)
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (!isWhole(received)) return
      if (!received.startsWith('HTTP/1.1 200 ')) reject(new Error(received))
      received = ''
      turn += 1
      if (performance.now() < end) ask()
      else socket.end(() => resolve(turn))
    })
  })
}

function isWhole(answer: string): boolean {
  const start = answer.indexOf('\r\n\r\n') + 4
  if (start < 4) return false
  const length = /content-length: (\d+)/i.exec(answer)?.[1]
  return length === undefined ? answer.endsWith('\r\n0\r\n\r\n') : answer.length >= start + Number(length)
}
