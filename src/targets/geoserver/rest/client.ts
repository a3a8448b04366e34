import type { Clock } from '../../../core/clock.ts'
import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import { HttpClient, readBody } from '../../../lib/http.ts'
import type { Secret } from '../../../lib/secret.ts'
import { withDeadline } from '../../../lib/waiting.ts'
import { wordsOf } from './words.ts'

export interface GeoServerOptions {
  /** Such as `http://127.0.0.1:8080/geoserver`. */
  readonly url: string
  readonly user: string
  /** Asked for again after GeoServer did not take the last one: it may have been changed. */
  readonly password: () => Promise<Secret>
  /** How long one call may take. */
  readonly timeoutMs: number
  readonly clock: Clock
}

/** One call of `/rest` or `/gwc/rest`. There is no HEAD: `rest.properties` does not list it, so GeoServer answers 403. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the address of GeoServer, encoded. */
  readonly path: string
  readonly body?: { readonly type: string; readonly content: Uint8Array | string } | undefined
  /** Where it may take longer than others. */
  readonly timeoutMs?: number
}

export interface Answer {
  readonly status: number
  /** Lower-case content type; '' without. */
  readonly type: string
  readonly text: string
}

/** Of an answer. The longest that is read is the list of modules: some 200 kB. */
const ANSWER_BYTES = 16 * 1024 * 1024

/** Asks one GeoServer: only the configured address, no redirects, bounded in bytes and time. */
export class GeoServerClient {
  readonly #options: GeoServerOptions
  readonly #http: HttpClient
  #password: Promise<Secret> | undefined

  constructor(options: GeoServerOptions) {
    this.#options = options
    this.#http = new HttpClient({ url: options.url, silenceMs: options.timeoutMs })
  }

  get url(): string {
    return this.#http.url
  }

  /**
   * Resolves with any answer but one that refuses this user. Rejects with `UNREACHABLE`, with `UNAUTHENTICATED` for 401, `TOO_LARGE`,
   * as reading the password does, or with the signal's reason. A POST whose answer is lost may have been carried out.
   */
  async call(call: Call, op: Op = {}): Promise<Answer> {
    const { clock, timeoutMs } = this.#options
    const authorization = await this.#authorization()
    const limitMs = call.timeoutMs ?? timeoutMs
    const answer = await withDeadline(clock, limitMs, async (late) => {
      const signal = op.signal === undefined ? late : AbortSignal.any([op.signal, late])
      const sent = await this.#http.send({
        method: call.method,
        path: call.path,
        signal,
        headers: { authorization, accept: '*/*', ...(call.body && { 'content-type': call.body.type }) },
        ...(call.body && { body: call.body.content }),
        answerMs: () => limitMs,
        isRepeatable: call.method !== 'POST',
        ifLost: 'GeoServer may have carried it out all the same; the next look tells.',
      })
      const text = (await readBody(sent, ANSWER_BYTES)).toString('utf8')
      return { status: sent.statusCode ?? 0, type: (sent.headers['content-type'] ?? '').toLowerCase(), text }
    })
    if (answer.status === 401) throw this.#unauthenticated()
    return answer
  }

  close(): void {
    this.#http.close()
  }

  async #authorization(): Promise<string> {
    const { user, password } = this.#options
    this.#password ??= password()
    try {
      const secret = await this.#password
      return `Basic ${Buffer.from(`${user}:${secret.reveal()}`).toString('base64')}`
    } catch (error) {
      this.#password = undefined
      throw error
    }
  }

  #unauthenticated(): FlotillaError {
    this.#password = undefined
    const { user } = this.#options
    return new FlotillaError('UNAUTHENTICATED', `${this.url} does not take the password of ${JSON.stringify(user)}`, {
      hint: 'Write the password of a GeoServer administrator into the file that `passwordFile` names.',
    })
  }
}

/** An answer that nobody expected, as an error. */
export function refusal({ method, path }: Pick<Call, 'method' | 'path'>, answer: Answer): FlotillaError {
  const { status } = answer
  const words = wordsOf(answer)
  const said = words === '' ? '' : `: ${words}`
  const message = `GeoServer answered ${status} to ${method} ${path}${said}`
  if (status === 403) {
    return new FlotillaError('FORBIDDEN', message, { hint: 'The user needs the role of an administrator.' })
  }
  if (status === 404) return new FlotillaError('NOT_FOUND', message)
  return new FlotillaError(status >= 500 ? 'UNREACHABLE' : 'BAD_REQUEST', message, {
    hint: 'The log of GeoServer says more.',
  })
}
