import { FlotillaError } from '../../core/errors.ts'

/** What an error of Digital Rebar is about. */
export interface About {
  readonly model: string
  readonly key?: string | undefined
  /** The method, or the kind of error. */
  readonly type: string
}

/** An error in Digital Rebar's own form, which its clients print as `Type: Model/Key: message`. */
export class Refusal extends Error {
  readonly status: number
  readonly about: About
  readonly messages: readonly string[]

  constructor(status: number, about: About, messages: readonly string[]) {
    super(messages.join(': '))
    this.name = 'Refusal'
    this.status = status
    this.about = about
    this.messages = messages
  }

  /** Members in the order of its Go struct. */
  get body(): object {
    const { model, key = '', type } = this.about
    return { Model: model, Key: key, Type: type, Messages: this.messages, Code: this.status }
  }
}

export function notFound({ model, key, type }: About): Refusal {
  return new Refusal(404, { model, key, type }, ['Not Found'])
}

/** A claim is missing: `Requires: profiles patch example`. */
export function notAllowed(url: string, requires: string): Refusal {
  return new Refusal(403, { model: '', type: 'AUTH' }, [`Cannot access ${url}`, `Requires: ${requires}`])
}

export function invalidObject({ model, key }: Omit<About, 'type'>, message: string): Refusal {
  return new Refusal(422, { model, key, type: 'ValidationError' }, [message])
}

/** What does not decode into its struct. */
export function notAcceptable(about: About, message: string): Refusal {
  return new Refusal(406, about, [message])
}

/** Any failure of a request as an error of that form; the text of what is unexpected stays in the log. */
export function asRefusal(error: unknown, status: number, message: string, about: About): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof FlotillaError)) return new Refusal(status, about, [message])
  const { code, details } = error
  const messages = details.hint === undefined ? [error.message] : [error.message, details.hint]
  if (code === 'NOT_FOUND') return notFound(about)
  if (code === 'INVALID_VALUE') return new Refusal(status, { ...about, type: 'ValidationError' }, [error.message])
  return new Refusal(status, code === 'FORBIDDEN' ? { model: '', type: 'AUTH' } : about, messages)
}
