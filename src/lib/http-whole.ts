import type { Dispatcher, Pool } from 'undici'
import { FlotillaError } from '../core/errors.ts'
import type { PoolAnswer, PoolRequest } from './http-pool.ts'

/** An answer that has arrived as a whole. */
export interface WholeAnswer extends PoolAnswer {
  readonly bytes: Uint8Array
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/**
 * Asks for something small: what undici's handlers tell is put together without a stream in between, which would cost as much again as
 * the request. Rejects with `TOO_LARGE` for an answer of more than `limitBytes`.
 */
export function exchangeWhole(pool: Pool, request: PoolRequest, limitBytes: number): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(limitBytes, request.signal, resolve, reject)
    pool.dispatch(
      {
        method: request.method,
        path: request.path,
        headers: request.headers ?? null,
        body: request.body ?? null,
        ...(request.headMs !== undefined && { headersTimeout: request.headMs }),
      },
      collector,
    )
  })
}

class Collector implements Dispatcher.DispatchHandler {
  readonly #limitBytes: number
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (answer: WholeAnswer) => void
  readonly #reject: (error: unknown) => void
  readonly #chunks: Uint8Array[] = []
  #size = 0
  #status = 0
  #headers: Headers = {}
  #controller: Dispatcher.DispatchController | undefined

  constructor(
    limitBytes: number,
    signal: AbortSignal | undefined,
    resolve: (answer: WholeAnswer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#limitBytes = limitBytes
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    signal?.addEventListener('abort', this.#abort)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // It may have waited for a connection.
    if (this.#signal?.aborted === true) this.#abort()
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#size += chunk.byteLength
    if (this.#size <= this.#limitBytes) this.#chunks.push(chunk)
    else controller.abort(new FlotillaError('TOO_LARGE', `the answer has more than ${this.#limitBytes} bytes`))
  }

  onResponseEnd(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    const [first] = this.#chunks
    const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    const headers = this.#headers
    this.#resolve({
      status: this.#status,
      header: (name) => {
        const value = headers[name]
        return typeof value === 'object' ? value[0] : value
      },
      bytes,
      get body() {
        return once(bytes)
      },
      discard: () => Promise.resolve(),
    })
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#reject(error)
  }

  readonly #abort = (): void => {
    this.#controller?.abort(this.#signal?.reason as Error)
    // One that still waits for a connection ends here; what is left of it is aborted when it starts.
    this.#reject(this.#signal?.reason)
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}
