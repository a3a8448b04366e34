import { connect } from 'node:net'

export interface HttpLoad {
  readonly url: string
  /** Of all connections, or of each. */
  readonly path: string | ((connection: number) => string)
  readonly headers?: Readonly<Record<string, string>>
  /** The body of one request: which connection sends it, how many it sent before, and what it was answered last. */
  readonly body: (connection: number, turn: number, answer: string) => string
  readonly connections: number
  readonly ms: number
}

/**
 * POSTs over kept-alive connections, each waiting for its answer before it sends again; answers the requests a second.
 * Plain sockets instead of an HTTP client: what is measured is the server, on a machine that runs both.
 */
export async function requestsPerSecond(load: HttpLoad): Promise<number> {
  const { perSecond } = await askedFor(load)
  return perSecond
}

/** The same, and how long the slowest hundredth waited at least. */
export async function askedFor(load: HttpLoad): Promise<{ readonly perSecond: number; readonly p99Ms: number }> {
  const started = performance.now()
  const all = await Promise.all(Array.from({ length: load.connections }, (_, index) => keepAsking(load, index)))
  const waits = all.flat().toSorted((a, b) => a - b)
  const perSecond = waits.length / ((performance.now() - started) / 1000)
  return { perSecond, p99Ms: waits[Math.floor(waits.length * 0.99)] ?? NaN }
}

/** How long each answer took. */
function keepAsking({ url, path, headers = {}, body, ms }: HttpLoad, connection: number): Promise<readonly number[]> {
  const { hostname, port, host } = new URL(url)
  const end = performance.now() + ms
  const lines = Object.entries({ 'content-type': 'application/json', ...headers, host })
  const target = typeof path === 'string' ? path : path(connection)
  const head = `POST ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    const waits: number[] = []
    let received = ''
    let askedMs = 0
    const ask = (answer: string): void => {
      const text = body(connection, waits.length, answer)
      askedMs = performance.now()
      socket.write(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
    }
    socket.on('connect', () => ask(''))
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (!isWhole(received)) return
      if (!received.startsWith('HTTP/1.1 200 ')) reject(new Error(received))
      const answer = received
      received = ''
      const nowMs = performance.now()
      waits.push(nowMs - askedMs)
      if (nowMs < end) ask(answer)
      else socket.end(() => resolve(waits))
    })
  })
}

function isWhole(answer: string): boolean {
  const start = answer.indexOf('\r\n\r\n') + 4
  if (start < 4) return false
  const length = /content-length: (\d+)/i.exec(answer)?.[1]
  return length === undefined ? answer.endsWith('\r\n0\r\n\r\n') : answer.length >= start + Number(length)
}
