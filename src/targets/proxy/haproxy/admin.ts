import { connect } from 'node:net'
import type { Clock } from '../../../core/clock.ts'
import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import { withDeadline } from '../../../lib/waiting.ts'

const ANSWER_BYTES = 64 * 1024 * 1024
const ANSWER_MS = 10_000

/** Words of orders: no blank, quote, backslash, semicolon or end of line, so that no word can be two, or another order. */
const WORD = /^[A-Za-z0-9_.:@=*!#%/[\]-]+$/

/** The socket on which a running HAProxy takes orders: one connection for each. */
export class AdminSocket {
  readonly #path: string
  readonly #clock: Clock

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /**
   * Sends an order and answers what HAProxy says, trimmed. `payload`: lines that belong to it, none of them empty.
   * Rejects with `UNREACHABLE` when nobody listens, or nothing is answered within ten seconds.
   */
  async ask(words: readonly string[], { signal, payload }: Op & { readonly payload?: readonly string[] } = {}) {
    // The payload ends with an empty line.
    return await this.#send(`${order(words)}${payload === undefined ? '' : ` <<\n${lines(payload)}`}\n`, signal)
  }

  /** Several orders that take no payload, in one go; all answers as one text. */
  async askAll(orders: readonly (readonly string[])[], { signal }: Op = {}): Promise<string> {
    return await this.#send(`${orders.map(order).join(';')}\n`, signal)
  }

  async #send(text: string, signal?: AbortSignal): Promise<string> {
    return await withDeadline(this.#clock, ANSWER_MS, async (late) => {
      const either = signal === undefined ? late : AbortSignal.any([signal, late])
      return (await exchange(this.#path, text, either)).trim()
    })
  }
}

function order(words: readonly string[]): string {
  const wrong = words.find((word) => !WORD.test(word))
  if (wrong === undefined) return words.join(' ')
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(wrong)} cannot stand in an order to HAProxy`)
}

function lines(payload: readonly string[]): string {
  const wrong = payload.find((line) => line.trim() === '' || /\p{Cc}/u.test(line))
  if (wrong === undefined) return payload.map((line) => `${line}\n`).join('')
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(wrong)} cannot be a line of an order to HAProxy`)
}

async function exchange(path: string, text: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted()
  return await new Promise((resolve, reject) => {
    const socket = connect({ path })
    const chunks: Buffer[] = []
    let size = 0
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy()
      reject(new FlotillaError('UNREACHABLE', `HAProxy does not answer at ${path}: ${why}`, { hint: HINT, cause }))
    }
    const abort = (): void => {
      socket.destroy()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.on('close', () => signal.removeEventListener('abort', abort))
    socket.on('error', (error) => fail(error.message, error))
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length
      chunks.push(chunk)
      if (size > ANSWER_BYTES) fail('its answer is too long')
    })
    socket.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
    // Not ended with it: HAProxy drops what it has not answered when the other side has gone.
    socket.write(text)
  })
}

const HINT =
  'Look whether HAProxy runs with the configuration that Flotilla wrote, and whether the agent may open the socket.'
