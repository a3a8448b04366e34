import type { FastifyRequest } from 'fastify'
import { FlotillaError } from '../core/errors.ts'
import { allows, parseScope, type Scope } from '../core/scope.ts'
import { ANYBODY, type Caller } from './caller.ts'
import type { Access } from './route.ts'
import type { TokenIndex } from './token-index.ts'

/** The gate of every route: who calls (before the body is read), and whether they may (before the handler runs). */

const BEARER = /^bearer ([\x21-\x7e]+)$/i

/** The caller; throws `UNAUTHENTICATED` unless the route is public or the token good. An unknown route is not public. */
export function authenticate(
  request: FastifyRequest,
  access: Access | undefined,
  tokens: TokenIndex,
): Caller | Promise<Caller> {
  if (access === 'public') return ANYBODY
  const { isFace = false } = request.routeOptions.config
  const { authorization = '' } = request.headers
  if (isFace && BASIC.test(authorization)) checkSameSite(request)
  const token = shownIn(authorization, isFace)
  if (token === undefined) throw unauthenticated('no token was sent')
  const found = tokens.find(token)
  if (found instanceof Promise) return found.then((caller) => caller ?? reject())
  return found ?? reject()
}

/** Browsers keep a password and send it with what any page makes them ask for. Throws `FORBIDDEN`. */
function checkSameSite({ headers }: FastifyRequest): void {
  const { origin, host } = headers
  const site = headers['sec-fetch-site'] ?? (origin === undefined || origin.endsWith(`://${host}`) ? 'none' : 'other')
  if (site === 'none' || site === 'same-origin') return
  throw new FlotillaError('FORBIDDEN', 'a page of another site made a browser ask for this')
}

/** A token has 60 characters or so, and no `:`. */
const BASIC = /^basic ([A-Za-z0-9+/]{1,1000}={0,2})$/i

/** The token in an `Authorization`: a bearer's, and for a face also the password of a pair. Undefined where there is none. */
export function shownIn(header: string, isFace: boolean): string | undefined {
  const pair = isFace ? BASIC.exec(header)?.[1] : undefined
  if (pair === undefined) return BEARER.exec(header)?.[1]
  const text = Buffer.from(pair, 'base64').toString('utf8')
  return text.slice(text.indexOf(':') + 1)
}

/** Throws `FORBIDDEN` unless the caller may call the route with what the request names. */
export function authorize(request: FastifyRequest, access: Access, caller: Caller): void {
  if (access === 'public' || access === 'token') return
  if ('check' in access) {
    access.check(caller, request)
    return
  }
  for (const text of access) {
    const { verb, prefix } = filledIn(text, request.params as Readonly<Record<string, string>>)
    if (!allows(caller.scopes, verb, prefix)) {
      throw new FlotillaError('FORBIDDEN', `your token has no right to ${verb} ${prefix}`, {
        hint: `It would need the scope ${verb}:${prefix}`,
      })
    }
  }
}

/** `write:release/{tree}` with the tree of the path. Parameters were validated before: none holds a slash. */
function filledIn(text: string, params: Readonly<Record<string, string>>): Scope {
  return parseScope(text.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? ''))
}

function reject(): never {
  throw unauthenticated('the token is wrong, expired or revoked')
}

function unauthenticated(message: string): FlotillaError {
  return new FlotillaError('UNAUTHENTICATED', message, {
    hint: 'Send a token as "Authorization: Bearer flt_…"; the first one lies in admin.token in the hub\'s data folder.',
  })
}
