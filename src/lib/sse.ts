import { FlotillaError } from '../core/errors.ts'

/** One server-sent event. `data` holds no line break: it is one line of JSON here. */
export interface ServerSentEvent {
  readonly event: string
  readonly data: string
  readonly id?: string | undefined
}

/** Between events, so that the other side can tell a quiet connection from a dead one. */
export const HEARTBEAT = ': \n\n'

export function formatEvent({ event, data, id }: ServerSentEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`
}

/**
 * Cuts a stream of bytes into events, as WHATWG HTML describes them, with lines that end in LF or CRLF. Comments and an
 * unfinished last event are dropped. Throws `TOO_LARGE` for an event of more than `limitChars`.
 */
export async function* parseEvents(
  body: AsyncIterable<Uint8Array>,
  limitChars: number,
): AsyncGenerator<ServerSentEvent, void> {
  const decoder = new TextDecoder()
  let started = ''
  let event = new Unfinished()
  for await (const chunk of body) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n')
    const last = lines.pop() ?? ''
    for (const end of lines) {
      const line = (started + end).replace(/\r$/, '')
      started = ''
      if (line !== '') {
        event.add(line)
        continue
      }
      const done = event.finish()
      event = new Unfinished()
      if (done !== undefined) yield done
    }
    started += last
    if (started.length + event.length > limitChars) {
      throw new FlotillaError('TOO_LARGE', `an event of more than ${limitChars} characters`)
    }
  }
}

class Unfinished {
  length = 0
  #event = 'message'
  #id: string | undefined
  readonly #data: string[] = []

  add(line: string): void {
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') this.#data.push(value)
    if (field === 'event') this.#event = value
    if (field === 'id') this.#id = value
    this.length += line.length
  }

  finish(): ServerSentEvent | undefined {
    if (this.#data.length === 0) return undefined
    return { event: this.#event, data: this.#data.join('\n'), id: this.#id }
  }
}
