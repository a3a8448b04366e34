import { FlotillaError } from '../core/errors.ts'
import { sha256 } from './hash.ts'
import type { PoolRequest } from './http-pool.ts'
import type { Secret } from './secret.ts'
import { type S3Credentials, Signer } from './s3/sign.ts'
import { parseTarget } from './s3/target.ts'

/** What one shows to read files of somebody else. */
export type FileCredentials =
  /** A key of `--api-key-file`, or a node's token. Sent in a header, never in a URL. */
  { readonly token: Secret } | (S3Credentials & { readonly region?: string | undefined })

export type Authorize = (request: Omit<PoolRequest, 'signal'>) => Record<string, string>

const REGION = 'us-east-1'

/** Gives the headers that make a request one of somebody with these credentials, those that it has included. */
export function authorizer(credentials: FileCredentials | undefined, origin: string, nowMs: () => number): Authorize {
  if (credentials === undefined) return ({ headers }) => ({ ...headers })
  if ('token' in credentials) {
    const authorization = `Bearer ${credentials.token.reveal()}`
    return ({ headers }) => ({ ...headers, authorization })
  }
  const signer = new Signer(credentials, credentials.region ?? REGION)
  const { host } = new URL(origin)
  return ({ method, path, headers, body }) => {
    const { rawPath, query } = parseTarget(path)
    const payload = sha256(body ?? '')
    return signer.sign({ method, path: rawPath, query, headers: { ...headers, host }, payload, nowMs: nowMs() })
  }
}

/** What it means that a file service does not know who asks, who has shown these credentials or none. */
export function unauthenticated(origin: string, message: string, credentials?: FileCredentials): FlotillaError {
  if (credentials === undefined) {
    return new FlotillaError('UNAUTHENTICATED', `${origin} wants a key, and none was given`, {
      hint: 'Name the file that holds it: --apikey-file FILE, or FLOTILLA_FILES_KEY_FILE; for sync also --s3-credentials FILE, or SYNC_APIKEY.',
    })
  }
  return new FlotillaError('UNAUTHENTICATED', message, {
    hint: 'Look into the file that was named; whoever runs the service has the keys in a file too (--api-key-file, --s3-credentials).',
  })
}

/** The origin of a URL of `http` or `https`; throws `USAGE` for what is none, or holds credentials that would be seen. */
export function originOf(text: string): URL {
  const hint = 'It looks like http://127.0.0.1:8480 or https://data.example.org/.'
  if (!URL.canParse(text)) throw new FlotillaError('USAGE', `"${text}" is not a URL`, { hint })
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FlotillaError('USAGE', `"${text}" is neither http nor https`, { hint })
  }
  if (url.username !== '' || url.password !== '') {
    throw new FlotillaError('USAGE', 'the URL holds credentials; give them by file or environment', { hint })
  }
  return url
}
