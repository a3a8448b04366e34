import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyRequest } from 'fastify'
import { FlotillaError } from '../core/errors.ts'
import { checkRequestHead } from '../lib/request-head.ts'
import { holdsToken } from './tokens.ts'

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/
const TOKEN_IN_QUERY = /[?&](?:access_?token|token|auth|authorization|api_?key)=/i

/**
 * Refuses with `BAD_REQUEST` what `checkRequestHead` refuses, and a token in the URL or a `Host` that is neither an address
 * nor one of `hostNames`, in lower case, nor the machine's own (a page whose name was rebound to our address would send its own).
 */
export function requestGuard(hostNames: ReadonlySet<string>): (request: FastifyRequest) => void {
  const own = new Set(['localhost', hostname().toLowerCase()])
  return ({ raw }) => {
    const url = raw.url ?? ''
    checkRequestHead(raw)
    if (url.includes('?') && (TOKEN_IN_QUERY.test(url) || holdsToken(url))) {
      throw refused('a token was sent in the URL, where logs keep it', {
        hint: 'Send it as "Authorization: Bearer …", and revoke this one.',
      })
    }
    const host = HOST.exec((raw.headers.host ?? '').toLowerCase())?.[1]
    if (host === undefined) throw refused('the Host header is missing or malformed')
    if (!own.has(host) && !hostNames.has(host) && isIP(host.replace(/^\[|\]$/g, '')) === 0) {
      throw refused(`${host} is not a name of this hub`, {
        hint: "Use its address, or add the name to the hub's setting `names`.",
      })
    }
  }
}

function refused(message: string, details: { readonly hint?: string } = {}): FlotillaError {
  return new FlotillaError('BAD_REQUEST', message, details)
}
