import type { IncomingMessage } from 'node:http'
import { S3Error } from '../lib/s3/errors.ts'

/** A second one could be read differently by a proxy in front, or be what a signature was not made over. */
const ONCE: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-md5',
  'host',
  'range',
  'transfer-encoding',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-date',
  'x-amz-decoded-content-length',
])

/** Throws for what Node's parser lets pass although it is ambiguous: a header twice, a transfer coding that is not known. */
export function checkHead({ rawHeaders }: IncomingMessage): void {
  let seen = ''
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    if (!ONCE.has(name)) continue
    if (seen.includes(`\n${name}\n`)) throw new S3Error('InvalidRequest', `The header ${name} occurs twice.`)
    seen += `\n${name}\n`
    if (name === 'transfer-encoding' && rawHeaders[index + 1]?.toLowerCase() !== 'chunked') {
      throw new S3Error('NotImplemented', 'The transfer coding is not known.')
    }
  }
}

const SECRET = /([?&](?:apikey|AWSAccessKeyId|Signature|X-Amz-(?:Credential|Security-Token|Signature))=)[^&]*/gi

/** The target of a request as logs may have it: short, and without what would let its reader in. */
export function loggedUrl(url: string): string {
  // Names may be encoded as well, and then are not worth the finding out.
  const [path = '', query] = url.slice(0, 500).split('?', 2)
  if (query === undefined) return path
  return /%(?!2[0fF]|3[aA])/.test(query) ? `${path}?…` : `${path}?${query}`.replace(SECRET, '$1redacted')
}
