import type { IncomingMessage } from 'node:http'
import { FlotillaError } from '../core/errors.ts'

/** Headers that decide what a request is; a second one could be read differently by a proxy in front. */
const ONCE = new Set([
  'host',
  'authorization',
  'content-type',
  'content-length',
  'transfer-encoding',
  'content-encoding',
])

/**
 * Refuses with `BAD_REQUEST` what Node's parser lets pass although it is ambiguous or an attack: an absolute request
 * target, a header twice, a transfer coding other than chunked, a compressed body.
 */
export function checkRequestHead({ url = '', rawHeaders }: Pick<IncomingMessage, 'url' | 'rawHeaders'>): void {
  if (!url.startsWith('/')) throw refused('the request target is not a path')
  let seen = ''
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    if (!ONCE.has(name)) continue
    if (seen.includes(` ${name} `)) throw refused(`the header ${name} occurs twice`)
    seen += ` ${name} `
    const value = (rawHeaders[index + 1] ?? '').toLowerCase()
    if (name === 'transfer-encoding' && value !== 'chunked') throw refused('the transfer coding is not known')
    if (name === 'content-encoding' && value !== 'identity') throw refused('compressed bodies are not taken')
  }
}

function refused(message: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', message)
}
