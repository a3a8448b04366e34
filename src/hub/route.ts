import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { ErrorBody } from '../core/api.ts'
import type { Caller } from './caller.ts'
import type { HubContext } from './context.ts'

/**
 * Who may call a route. Every route says so, and one gate (auth.ts) holds it:
 * `public` needs no token; `token` needs any; a list of scopes, such as `write:release/{tree}`, needs a token that covers
 * each, with `{…}` filled in from the path; a `check` decides by what the request names itself, and throws `FORBIDDEN`.
 */
export type Access = 'public' | 'token' | readonly `${'read' | 'write'}:${string}`[] | AccessCheck

interface AccessCheck {
  /** For the API's document. */
  readonly says: string
  readonly check: (caller: Caller, request: FastifyRequest) => void
}

/** One validated request, as a handler sees it. */
export interface Call<P, Q, B> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly caller: Caller
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** The media types of RFC 6902 and RFC 7396. */
export const PATCH_TYPES = ['application/json-patch+json', 'application/merge-patch+json'] as const

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

interface RouteText {
  readonly method: Method
  readonly url: `/${string}`
  /** Names the operation in the API's document, and in clients made from it. */
  readonly id: string
  readonly summary: string
  readonly details?: string
  readonly access: Access
  /** Of a success; 200 unless told. An answer of 204 has no body. */
  readonly status?: 200 | 201 | 204
  readonly limits?: {
    readonly bodyBytes?: 'commitBytes' | 'releaseBytes'
    /** Members and elements in the body for each file of a release. */
    readonly members?: number
  }
  /** The body is bytes of any size, which the handler reads as a stream. */
  readonly takesBytes?: true
  /** The body may be of the media types of JSON Patch and JSON Merge Patch as well. */
  readonly takesPatches?: true
  /** What the answer is where it is not JSON. */
  readonly answerType?: 'application/octet-stream' | 'text/event-stream' | 'text/plain' | 'application/json'
}

export interface RouteSpec<P, Q, B, A> extends RouteText {
  readonly params?: z.ZodType<P>
  readonly query?: z.ZodType<Q>
  readonly body?: z.ZodType<B>
  readonly answer?: z.ZodType<A>
  /** Answers what is sent; undefined when it sent the answer itself, or there is nothing to say. */
  readonly handler: (hub: HubContext, call: Call<P, Q, B>) => Promise<A> | Promise<undefined>
}

/** A route whose schemas and handler are known to fit each other. */
export interface Route extends RouteText {
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly answer?: z.ZodType
  readonly handler: (hub: HubContext, call: Call<never, never, never>) => Promise<unknown>
}

/** Routes that speak as another program does, for clients of it that stay as they are. No part of the API's document. */
export interface Face {
  /** Their clients may send a token as the password of basic authentication, whatever the name. */
  readonly realm: string
  readonly routes: readonly Route[]
  readonly errorBody: (error: ErrorBody['error']) => object
  /** Where not even statuses and headers of its errors are the hub's own. */
  readonly answerOf?: (failure: Failure) => FaceAnswer
  /** Takes over a connection of the hub's TLS listener that is to speak another protocol; nobody has looked at its token yet. */
  readonly upgrade?: (hub: HubContext, request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>
}

export interface Failure {
  readonly error: unknown
  /** What the hub itself would answer. */
  readonly status: number
  readonly known: ErrorBody['error']
  readonly request: FastifyRequest
}

export interface FaceAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** None is an empty answer. */
  readonly body?: object | undefined
}

export function route<P, Q, B, A>(spec: RouteSpec<P, Q, B, A>): Route {
  return spec
}
