import type { Bus, Hint } from '../../core/bus.ts'
import { mergeHints } from '../../core/bus.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { HintReaders } from '../../lib/hint-readers.ts'
import { HttpClient } from '../../lib/http.ts'
import type { Secret } from '../../lib/secret.ts'

export interface HttpBusOptions {
  /** Base URLs of the listeners to tell, asked for at every publish. For a bus that only receives: none. */
  readonly listeners: () => Promise<readonly string[]>
  /** The key that nodes share. */
  readonly key: () => Promise<Secret | undefined>
  readonly log: Logger
}

/** A node that does not answer within this time is told by the next hint, or looks by itself. */
const SILENCE_MS = 2000
const LISTENERS_MAX = 1000

/**
 * Hints over HTTP, with no broker: `publish` posts to the listener of every known node, `subscribe` yields what this
 * process' own listener passed on to `receive`. A listener that is slow or gone holds nobody up, and hints for it
 * that wait are merged.
 */
export class HttpBus implements Bus {
  readonly #options: HttpBusOptions
  readonly #readers = new HintReaders()
  readonly #posts = new Map<string, Posts>()

  constructor(options: HttpBusOptions) {
    this.#options = options
  }

  async publish(hint: Hint): Promise<void> {
    this.#readers.check(hint)
    const urls = (await this.#options.listeners()).slice(0, LISTENERS_MAX)
    for (const [url, posts] of this.#posts) {
      if (urls.includes(url)) continue
      posts.close()
      this.#posts.delete(url)
    }
    for (const url of urls) this.#postsTo(url)?.add(hint)
  }

  /** A hint that came in through this process' own listener. */
  receive(hint: Hint): void {
    this.#readers.give(hint)
  }

  subscribe({ signal }: { readonly node: string; readonly signal: AbortSignal }): AsyncIterable<Hint> {
    return this.#readers.subscribe(signal)
  }

  async close(): Promise<void> {
    this.#readers.close()
    for (const posts of this.#posts.values()) posts.close()
    this.#posts.clear()
  }

  #postsTo(url: string): Posts | undefined {
    const known = this.#posts.get(url)
    if (known !== undefined) return known
    try {
      const posts = new Posts(new HttpClient({ url, silenceMs: SILENCE_MS }), this.#options)
      this.#posts.set(url, posts)
      return posts
    } catch (error) {
      this.#options.log.debug('a node announced a listener that cannot be asked', { error: messageOf(error) })
      return undefined
    }
  }
}

/** What one listener is told: one request at a time, the newest hint of each prefix. */
class Posts {
  readonly #http: HttpClient
  readonly #options: HttpBusOptions
  #waiting: Hint[] = []
  #busy = false

  constructor(http: HttpClient, options: HttpBusOptions) {
    this.#http = http
    this.#options = options
  }

  add(hint: Hint): void {
    const others = this.#waiting.filter(({ prefix }) => prefix !== hint.prefix)
    const same = this.#waiting.find(({ prefix }) => prefix === hint.prefix)
    this.#waiting = [...others, same === undefined ? hint : (mergeHints(same, hint) ?? hint)]
    if (!this.#busy) void this.#drain()
  }

  close(): void {
    this.#waiting = []
    this.#http.close()
  }

  async #drain(): Promise<void> {
    this.#busy = true
    try {
      for (let hint = this.#waiting.shift(); hint !== undefined; hint = this.#waiting.shift()) await this.#post(hint)
    } catch (error) {
      // The node looks by itself, and is told again with the next hint.
      this.#waiting = []
      this.#options.log.debug('a node could not be told', { url: this.#http.url, error: messageOf(error) })
    } finally {
      this.#busy = false
    }
  }

  async #post({ prefix, revision }: Hint): Promise<void> {
    const key = await this.#options.key()
    if (key === undefined) return
    const headers = { authorization: `Bearer ${key.reveal()}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ prefix, revision })
    const answer = await this.#http.send({ method: 'POST', path: '/v1/hint', headers, body })
    // The connection is kept where there is certainly nothing to read: a listener is not trusted to end its answers.
    if (answer.statusCode === 204) answer.resume()
    else answer.destroy()
  }
}
