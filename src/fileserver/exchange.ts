import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Payload } from '../lib/s3/signed-request.ts'
import { parameter, type Target } from '../lib/s3/target.ts'
import type { Caller } from './access.ts'
import type { Handed } from './handed.ts'

/** One request of somebody whose credentials were looked at, and its answer. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: Target
  readonly caller: Caller
  readonly requestId: string
  /** What nginx has done with the body already. */
  readonly handed: Handed | undefined
  /** What was said of the body. */
  readonly payload: Payload
  /** `x-amz-…` of a presigned URL that stand for headers. */
  readonly #hoisted: Readonly<Record<string, string>>
  #gone: AbortController | undefined

  constructor(head: RequestHead, { caller, payload, hoisted }: Authenticated) {
    this.request = head.request
    this.response = head.response
    this.target = head.target
    this.requestId = head.requestId
    this.handed = head.handed
    this.caller = caller
    this.payload = payload
    this.#hoisted = hoisted
  }

  get method(): string {
    return this.request.method ?? ''
  }

  /** By its name in lower case; headers of that name together. */
  header(name: string): string | undefined {
    const value = this.request.headers[name] ?? this.#hoisted[name]
    return Array.isArray(value) ? value.join(',') : value
  }

  parameter(name: string): string | undefined {
    return this.target.query.length === 0 ? undefined : parameter(this.target.query, name)
  }

  /** Every header and what stands for one, by names in lower case. */
  headers(): Readonly<Record<string, string | readonly string[] | undefined>> {
    return { ...this.#hoisted, ...this.request.headers }
  }

  /** From now on it is for us to go on, and nobody is to blame for silence. The next request on the connection is watched again. */
  takeTime(): void {
    this.request.socket.setTimeout(0)
  }

  /** Aborts when whoever asked is gone. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController()
      this.#gone = gone
      if (this.response.destroyed) gone.abort(new ClientGone())
      else this.response.once('close', () => this.response.writableFinished || gone.abort(new ClientGone()))
    }
    return this.#gone.signal
  }
}

export interface RequestHead {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: Target
  readonly requestId: string
  readonly handed?: Handed | undefined
}

export interface Authenticated {
  readonly caller: Caller
  readonly payload: Payload
  readonly hoisted: Readonly<Record<string, string>>
}

/** Nobody is there any more to be told anything. */
export class ClientGone extends Error {
  constructor() {
    super('whoever asked is gone')
    this.name = 'ClientGone'
  }
}
