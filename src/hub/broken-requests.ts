import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../core/errors.ts'

/** Requests that never become one: not HTTP, too slow, headers too large. There is no route and no log entry for them. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, code, message] = ANSWERS[error.code ?? ''] ?? MALFORMED
  const body = JSON.stringify({ error: { code, message } })
  socket.write(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  // Not only our half: a client that never closes its own would hold the connection for ever.
  socket.destroySoon()
}

type Answer = readonly [status: string, code: ErrorCode, message: string]

const MALFORMED: Answer = ['400 Bad Request', 'BAD_REQUEST', 'this is not a valid HTTP request']
const ANSWERS: Readonly<Record<string, Answer>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'TOO_LARGE', 'the headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'BAD_REQUEST', 'the request took too long to arrive'],
}

/**
 * The body as it comes. Whoever stops reading early leaves the rest where it is, so that an answer can still be sent.
 * When the signal aborts, as it does when the caller's token ends, the connection is cut, however slow the client is.
 */
export async function* bodyOf(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const cut = (): void => void request.destroy(signal.reason as Error)
  signal.addEventListener('abort', cut, { once: true })
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
  } finally {
    signal.removeEventListener('abort', cut)
  }
}

const DISCARD_BYTES = 1024 * 1024

/**
 * Takes in what is left of a body that was refused, so that the client gets to read its answer instead of a reset; no
 * more than a mebibyte, because somebody who sends on after a refusal does not read it anyway. Call it before the answer
 * is sent: Node would else take in the rest itself, without a limit.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let left = DISCARD_BYTES
  request.on('data', (chunk: Buffer) => {
    left -= chunk.byteLength
    if (left < 0) request.destroy()
  })
  request.resume()
}
