import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { PEER_PATH } from '../core/files/peer-wire.ts'
import { FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Child, LongBody, OperationItem, RowsWish } from '../core/push/child.ts'
import { type Hello, type HelloAnswer, type Outcome, RELAY_HEADER, type SumRow, type Sums } from '../core/push/wire.ts'
import { giveBack } from '../lib/give-back.ts'
import { HttpClient, type HttpRequest } from '../lib/http.ts'
import type { PoolAnswer } from '../lib/http-pool.ts'
import { uriEncode } from '../lib/s3/target.ts'
import type { Secret } from '../lib/secret.ts'
import { jsonOf, peerAnswer } from '../lib/peer-answers.ts'
import { bytesOf, helloOf, outcomeOf, outcomesOf, rowsOf, sumsOf } from './child-http-answers.ts'
import { Beat, bodyFrames, operationFrames } from './child-http-frames.ts'
import { type ChildPlace, childPlace, keyHeaders } from './child-place.ts'

export interface HttpChildOptions {
  /** `http://host:port`, where its tree has the name of ours, or `http://host:port/tree`. */
  readonly url: string
  /** Of ours. */
  readonly tree: string
  /** Which says `parent` there. */
  readonly key?: Secret | undefined
  /** For people: where it comes from. */
  readonly keyFile?: string | undefined
  /** Certificates in PEM that the child's own is checked against, instead of the system's. */
  readonly ca?: string | undefined
  readonly clock: Clock
  /** How long it may be silent before it counts as gone, unless it has more to do than to answer; 20 s unless told. */
  readonly silenceMs?: number | undefined
}

const SILENCE_MS = 20_000
const ANSWER_BYTES = 4 * 1024 * 1024
/** A child that has all of a body brings it to its disk before it answers. */
const DISK_BYTES_PER_MS = 20_000
const TRUST_HINT = 'Name the file with the certificate of its authority: --child-ca FILE, or `caFile` of that child.'

/** A child at the other end of HTTP, as `core/push/wire.ts` has it. */
export class HttpChild implements Child {
  readonly url: string
  readonly #place: ChildPlace
  readonly #http: HttpClient
  readonly #shown: Readonly<Record<string, string>>
  readonly #clock: Clock
  readonly #silenceMs: number
  /** What to do where it does not take the key. */
  readonly #keyHint: string

  constructor({ url, tree, key, keyFile, ca, clock, silenceMs = SILENCE_MS }: HttpChildOptions) {
    this.#place = childPlace(url, tree)
    this.url = this.#place.url
    this.#http = new HttpClient({ url: this.#place.origin, silenceMs, ca, trustHint: TRUST_HINT })
    this.#shown = keyHeaders(key)
    this.#clock = clock
    this.#silenceMs = silenceMs
    this.#keyHint = keyHintOf(this.#place.name, this.#place.treePath, key === undefined, keyFile)
  }

  async hello(hello: Hello, { signal }: Op): Promise<HelloAnswer> {
    return helloOf(await this.#post('push-hello', hello, signal), this.url)
  }

  async operations(
    items: readonly OperationItem[],
    { deepMs, relay, signal }: Parameters<Child['operations']>[1],
  ): Promise<readonly Outcome[]> {
    let isSent = false
    const answer = await this.#ask({
      method: 'POST',
      path: `push-ops${queryOf({ ...deep(deepMs) })}`,
      headers: relayed(relay),
      body: operationFrames(items, () => (isSent = true)),
      isRepeatable: true,
      answerMs: () => this.#silenceMs + (deepMs ?? 0),
      ...(signal !== undefined && { signal }),
    })
    // Who answers before may still be sent the rest.
    if (isSent) for (const { bytes, isOwn } of items) if (isOwn === true && bytes !== undefined) giveBack(bytes)
    return outcomesOf(answer, items.length, this.url)
  }

  async partBytes(id: string, { signal }: Op): Promise<number> {
    const path = `push-part${queryOf({ id })}`
    return bytesOf(await this.#ask({ method: 'GET', path, ...(signal !== undefined && { signal }) }), this.url)
  }

  async body(body: LongBody, { signal }: Op): Promise<Outcome> {
    const { key, id, from, deepMs, relay } = body
    const over = new AbortController()
    let bytes = from
    // What the parent cannot read is no fault of the child.
    let failure: { readonly error: unknown } | undefined
    const read = async function* (frames: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
      try {
        for await (const frame of frames) {
          bytes += frame.byteLength
          yield frame
        }
      } catch (error) {
        failure = { error }
        throw error
      }
    }
    try {
      const answer = await this.#ask({
        method: 'POST',
        path: `push-body${queryOf({ key, id, from: String(from), ...deep(deepMs) })}`,
        headers: relayed(relay),
        body: read(bodyFrames(body, new Beat(this.#clock, over.signal))),
        answerMs: () => this.#silenceMs + (deepMs ?? 0) + bytes / DISK_BYTES_PER_MS,
        ...(signal !== undefined && { signal }),
      })
      return outcomeOf(answer, this.url)
    } catch (error) {
      signal?.throwIfAborted()
      throw failure === undefined ? error : failure.error
    } finally {
      over.abort()
    }
  }

  async sums(prefix: string, { signal }: Op): Promise<Sums> {
    return sumsOf(await this.#post('push-sums', { prefix }, signal), this.url)
  }

  async rows(wish: RowsWish, { signal }: Op): Promise<readonly SumRow[]> {
    return rowsOf(await this.#post('push-rows', wish, signal), wish.limit, this.url)
  }

  close(): Promise<void> {
    this.#http.close()
    return Promise.resolve()
  }

  async #post(path: string, body: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const json = JSON.stringify(body)
    const headers = { 'content-type': 'application/json' }
    const wish = { method: 'POST', path, body: json, headers, isRepeatable: true } as const
    return await this.#ask({ ...wish, ...(signal !== undefined && { signal }) })
  }

  async #ask(request: HttpRequest & { readonly method: 'GET' | 'POST' }): Promise<unknown> {
    const path = `${PEER_PATH}trees/${this.#place.treePath}/${request.path}`
    const headers = { ...request.headers, ...this.#shown }
    const answer = poolAnswer(await this.#http.send({ ...request, path, headers }), this.url)
    return await jsonOf(await this.#let(answer), ANSWER_BYTES, this.url)
  }

  async #let(answer: PoolAnswer): Promise<PoolAnswer> {
    try {
      return await peerAnswer(answer, this.url)
    } catch (error) {
      if (!isError(error, 'UNAUTHENTICATED', 'FORBIDDEN')) throw error
      throw new FlotillaError(error.code, error.message, { hint: this.#keyHint, cause: error })
    }
  }
}

function keyHintOf(name: string, tree: string, isWithout: boolean, keyFile: string | undefined): string {
  const line = `KEY parent ${tree}`
  if (isWithout)
    return `No key is shown to ${name}: give one with --child-key-file, and its file of API keys a line: ${line}`
  if (keyFile === undefined) return `The key that is shown to ${name} needs a line in its file of API keys: ${line}`
  return `The file of API keys at ${name} needs a line with the key that is in ${keyFile} here: ${line}`
}

function relayed(relay: readonly string[] | undefined): Readonly<Record<string, string>> {
  return relay === undefined || relay.length === 0 ? {} : { [RELAY_HEADER]: relay.map(encodeURI).join(' ') }
}

function deep(deepMs: number | undefined): Readonly<Record<string, string>> {
  return deepMs === undefined ? {} : { deep: '1', wait: String(Math.round(deepMs)) }
}

function queryOf(parameters: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}=${uriEncode(value)}`)
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

function poolAnswer(message: IncomingMessage, name: string): PoolAnswer {
  return {
    status: message.statusCode ?? 0,
    header: (name) => {
      const value = message.headers[name]
      return typeof value === 'object' ? value[0] : value
    },
    body: bytesIn(message, name),
    discard: () => {
      message.destroy()
      return Promise.resolve()
    },
  }
}

async function* bytesIn(message: IncomingMessage, name: string): AsyncGenerator<Uint8Array, void> {
  try {
    yield* message as AsyncIterable<Uint8Array>
  } catch (error) {
    throw new FlotillaError('UNREACHABLE', `${name} broke off its answer: ${messageOf(error)}`, { cause: error })
  }
}
