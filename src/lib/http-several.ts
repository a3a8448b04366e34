import type { IncomingMessage } from 'node:http'
import { isError } from '../core/errors.ts'
import { HttpClient, type HttpOptions, type HttpRequest, wasNotSent } from './http.ts'

/** Of several hubs over one store, such as `http://a:8470,http://b:8470`, each by itself. */
export function originsOf(url: string): readonly string[] {
  return url.split(',').map((each) => each.trim())
}

/**
 * Requests to whichever of several origins answers that stand for the same, such as the hubs over one store: it stays with one
 * until that is gone, then goes to the next. `url` is theirs, with commas between. What may have been carried out is not sent
 * to another unless it may be repeated.
 */
export class HttpOfSeveral {
  readonly #clients: readonly HttpClient[]
  #at = 0

  constructor({ url, silenceMs }: HttpOptions) {
    this.#clients = originsOf(url).map((each) => new HttpClient({ url: each, silenceMs }))
  }

  /** Of the one that is asked next. */
  get url(): string {
    return this.#current.url
  }

  /** As `HttpClient` does; rejects with what became of the first one that may have carried it out, if any may. */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    const mayRepeat = request.method === 'GET' || request.method === 'HEAD' || request.isRepeatable === true
    let lost: unknown
    for (let tried = 1; ; tried++) {
      const client = this.#current
      try {
        return await client.send(request)
      } catch (error) {
        if (!isError(error, 'UNREACHABLE')) throw error
        this.leave(client.url)
        if (!wasNotSent(error)) lost ??= error
        if (tried >= this.#clients.length || !(mayRepeat || wasNotSent(error))) throw lost ?? error
      }
    }
  }

  /** The next request goes to another one, if there is one and none has done so already. */
  leave(url: string): void {
    if (this.#current.url === url) this.#at = (this.#at + 1) % this.#clients.length
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }

  get #current(): HttpClient {
    // There is one at least: an empty list was refused as no URL.
    return this.#clients[this.#at] as HttpClient
  }
}
