import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyRequest } from 'fastify'
import { FlotillaError } from '../core/errors.ts'
import { holdsToken } from './tokens.ts'

/** Headers that decide what a request is; a second one could be read differently by a proxy in front. */
const ONCE = new Set([
  'host',
  'authorization',
  'content-type',
  'content-length',
  'transfer-encoding',
  'content-encoding',
])
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/
const TOKEN_IN_QUERY = /[?&](?:access_?token|token|auth|authorization|api_?key)=/i

/**
 * Refuses with `BAD_REQUEST` what Node's parser lets pass although it is ambiguous or an attack: a header twice, an
 * absolute request target, a transfer coding other than chunked, a compressed body, a `Host` that is neither an address
 * nor one of `hostNames`, in lower case, nor the machine's own (a page whose name was rebound to our address would send its own), a token in the URL.
 */
export function requestGuard(hostNames: ReadonlySet<string>): (request: FastifyRequest) => void {
  const own = new Set(['localhost', hostname().toLowerCase()])
  return ({ raw }) => {
    const url = raw.url ?? ''
    if (!url.startsWith('/')) throw refused('the request target is not a path')
    if (url.includes('?') && (TOKEN_IN_QUERY.test(url) || holdsToken(url))) {
      throw refused('a token was sent in the URL, where logs keep it', {
        hint: 'Send it as "Authorization: Bearer …", and revoke this one.',
      })
    }
    checkHeaders(raw.rawHeaders)
    const host = HOST.exec((raw.headers.host ?? '').toLowerCase())?.[1]
    if (host === undefined) throw refused('the Host header is missing or malformed')
    if (!own.has(host) && !hostNames.has(host) && isIP(host.replace(/^\[|\]$/g, '')) === 0) {
      throw refused(`${host} is not a name of this hub`, {
        hint: "Use its address, or add the name to the hub's setting `names`.",
      })
    }
  }
}

function checkHeaders(raw: readonly string[]): void {
  let seen = ''
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase()
    if (!ONCE.has(name)) continue
    if (seen.includes(` ${name} `)) throw refused(`the header ${name} occurs twice`)
    seen += ` ${name} `
    const value = (raw[index + 1] ?? '').toLowerCase()
    if (name === 'transfer-encoding' && value !== 'chunked') throw refused('the transfer coding is not known')
    if (name === 'content-encoding' && value !== 'identity') throw refused('compressed bodies are not taken')
  }
}

function refused(message: string, details: { readonly hint?: string } = {}): FlotillaError {
  return new FlotillaError('BAD_REQUEST', message, details)
}
