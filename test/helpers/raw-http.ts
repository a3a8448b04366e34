import { connect, type Socket } from 'node:net'

/** What came back over a socket before the other side closed it, or went quiet for `quietMs`. */
export interface RawAnswer {
  readonly text: string
  /** 0 when nothing came that looks like an answer. */
  readonly status: number
  readonly closed: boolean
}

/** Sends bytes as they are, as no HTTP client would, and reads what comes. */
export async function sendRaw(url: string, bytes: string | readonly string[], quietMs = 300): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  const closed = await new Promise<boolean>((resolve) => {
    socket.setTimeout(quietMs, () => resolve(false))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('close', () => resolve(true))
    socket.on('error', () => resolve(true))
    void writeAll(socket, typeof bytes === 'string' ? [bytes] : bytes)
  })
  socket.destroy()
  const text = Buffer.concat(chunks).toString('latin1')
  return { text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), closed }
}

async function writeAll(socket: Socket, parts: readonly string[]): Promise<void> {
  for (const part of parts) {
    if (socket.destroyed) return
    await new Promise((resolve) => socket.write(part, 'latin1', resolve))
  }
}
