import type { Pool } from 'undici'
import { FlotillaError, messageOf } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { exchangeWhole, type WholeAnswer } from './http-whole.ts'

export interface PoolOptions {
  /** `http://host:port` or `https://…`; a path, query or credentials in it are left out. */
  readonly origin: string
  /** For messages; no secret in it. */
  readonly name: string
  /** How many requests are under way at once; further ones wait. */
  readonly connections: number
  /** How long the other side may be silent, while connecting too, before it counts as gone. */
  readonly silenceMs: number
  /** How long connecting may take, where that is not the same. */
  readonly connectMs?: number | undefined
  /** As of `HttpClient`. */
  readonly ca?: string | undefined
}

export interface PoolRequest extends Op {
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** Path and query as they go over the wire. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** How long the head of the answer may take, where that is not the silence of the pool. */
  readonly headMs?: number
}

export interface PoolAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly header: (name: string) => string | undefined
  /** To be iterated over once, or discarded. Rejects with `UNREACHABLE` where it breaks off, or with the signal's reason. */
  readonly body: AsyncIterable<Uint8Array>
  /** Without this or a whole iteration the connection stays taken. Reads a small rest, cuts the connection otherwise. */
  readonly discard: () => Promise<void>
}

const REST_BYTES = 64 * 1024

/**
 * Many reading requests to one origin over kept-alive connections: several times cheaper per request than fetch. undici is loaded with
 * the first request. Never follows a redirect, so credentials reach only the origin they are meant for.
 */
export class HttpPool {
  readonly name: string
  readonly #options: PoolOptions
  #pool: Promise<Pool> | undefined

  constructor(options: PoolOptions) {
    this.name = options.name
    this.#options = options
  }

  /**
   * Resolves with the head of any answer. Rejects with `UNREACHABLE`, or with the signal's reason. Sent once more, as every request is one
   * that changes nothing, when a kept-alive connection turns out to have been closed by the other side.
   */
  async send(request: PoolRequest): Promise<PoolAnswer> {
    return await this.#twice(request, (pool) => this.#exchange(pool, request))
  }

  /** As `send`, but with the body of an answer that has at most so many bytes; `TOO_LARGE` for another. Half the cost for small ones. */
  async whole(request: PoolRequest, limitBytes: number): Promise<WholeAnswer> {
    return await this.#twice(request, (pool) => exchangeWhole(pool, request, limitBytes))
  }

  /** Ends every connection; requests under way are rejected. */
  async close(): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    await (await pool)?.destroy()
  }

  async #open(): Promise<Pool> {
    const { Pool } = await import('undici')
    const { connections, silenceMs, connectMs = silenceMs, ca } = this.#options
    return new Pool(new URL(this.#options.origin).origin, {
      connections,
      allowH2: false,
      connectTimeout: connectMs,
      ...(ca !== undefined && { connect: { ca } }),
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
    })
  }

  async #twice<T>(request: PoolRequest, exchange: (pool: Pool) => Promise<T>): Promise<T> {
    request.signal?.throwIfAborted()
    this.#pool ??= this.#open()
    const pool = await this.#pool
    try {
      return await exchange(pool).catch(async (error: unknown) => {
        if (!wasIdle(error) || request.signal?.aborted === true) throw error
        return await exchange(pool)
      })
    } catch (error) {
      throw this.#failure(error, request, 'does not answer')
    }
  }

  async #exchange(pool: Pool, request: PoolRequest): Promise<PoolAnswer> {
    const { statusCode, headers, body } = await pool.request({
      method: request.method,
      path: request.path,
      headers: request.headers ?? null,
      body: request.body ?? null,
      signal: request.signal ?? null,
      ...(request.headMs !== undefined && { headersTimeout: request.headMs }),
    })
    // Whoever reads the body sees its errors; nobody may be reading yet.
    body.on('error', () => undefined)
    const reading = async function* (failure: (error: unknown) => unknown): AsyncGenerator<Uint8Array, void> {
      try {
        yield* body as AsyncIterable<Uint8Array>
      } catch (error) {
        throw failure(error)
      }
    }
    return {
      status: statusCode,
      header: (name) => {
        const value = headers[name]
        return typeof value === 'object' ? value[0] : value
      },
      body: reading((error) => this.#failure(error, request, 'broke off its answer')),
      discard: async () => {
        await body.dump({ limit: REST_BYTES }).catch(() => undefined)
      },
    }
  }

  #failure(error: unknown, request: PoolRequest, what: string): unknown {
    if (request.signal?.aborted === true) return request.signal.reason
    if (error instanceof FlotillaError) return error
    const { code = '' } = (error ?? {}) as NodeJS.ErrnoException
    return new FlotillaError('UNREACHABLE', `${this.name} ${what}: ${WHY[code] ?? messageOf(error)}`, {
      hint: 'Check that it runs and that the address is right.',
      cause: error,
    })
  }
}

/** Reads a whole answer of at most `limitBytes`; rejects with `TOO_LARGE` beyond. */
export async function readAnswer(answer: PoolAnswer, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body) {
    size += chunk.byteLength
    if (size > limitBytes) throw new FlotillaError('TOO_LARGE', `the answer has more than ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] instanceof Buffer ? chunks[0] : Buffer.concat(chunks)
}

/** The connection had carried an answer before: the other side may have closed it before this request was sent. */
function wasIdle(error: unknown): boolean {
  const { code, socket } = (error ?? {}) as { code?: string; socket?: { bytesRead?: number } }
  return code === 'UND_ERR_SOCKET' && (socket?.bytesRead ?? 0) > 0
}

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up now',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
  ERR_SSL_WRONG_VERSION_NUMBER: 'there is no TLS; perhaps it is http://',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'it fell silent within its answer',
}
