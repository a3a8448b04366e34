import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Asked {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object
}

/** One connection to a hub, which is open before anything is measured. One request at a time. */
export class KeptConnection {
  readonly #socket: Socket
  readonly #head: string
  #received = ''
  #onText: () => void = () => undefined

  private constructor(socket: Socket, head: string) {
    this.#socket = socket
    this.#head = head
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#onText()
    })
  }

  static async open(url: string, token: string): Promise<KeptConnection> {
    const { hostname, port, host } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new KeptConnection(socket, `host: ${host}\r\nauthorization: Bearer ${token}\r\n`)
  }

  static async openAll(url: string, token: string, count: number): Promise<readonly KeptConnection[]> {
    return Promise.all(Array.from({ length: count }, async () => KeptConnection.open(url, token)))
  }

  /** The body of the answer; rejects where it is no success. */
  async ask(asked: Asked): Promise<string> {
    this.send(asked)
    const answer = await this.until((text) => (isWhole(text) ? text : undefined))
    if (!/^HTTP\/1\.1 20\d /.test(answer)) throw new Error(`${asked.method} ${asked.path}: ${answer}`)
    return answer.slice(answer.indexOf('\r\n\r\n') + 4)
  }

  send({ method, path, body }: Asked): void {
    const text = body === undefined ? '' : JSON.stringify(body)
    const type = body === undefined ? '' : `content-type: application/json\r\ncontent-length: ${text.length}\r\n`
    this.#received = ''
    this.#socket.write(`${method} ${path} HTTP/1.1\r\n${this.#head}${type}\r\n${text}`)
  }

  /** What is found in all that came since something was sent. */
  until<T>(find: (received: string) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        const found = find(this.#received)
        if (found !== undefined) resolve(found)
      }
      this.#socket.once('close', () => reject(new Error('the connection was closed')))
      this.#onText()
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

function isWhole(answer: string): boolean {
  const start = answer.indexOf('\r\n\r\n') + 4
  if (start < 4) return false
  const length = /content-length: (\d+)/i.exec(answer)?.[1]
  return answer.startsWith('HTTP/1.1 204') || (length !== undefined && answer.length >= start + Number(length))
}
