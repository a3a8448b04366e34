import { FlotillaError } from '../../core/errors.ts'
import { PEER_HEADER, PEER_PATH, type PeerTrees } from '../../core/files/peer-wire.ts'
import type { Op } from '../../core/op.ts'
import { authorizer, type FileCredentials, originOf, unauthenticated } from '../../lib/file-access.ts'
import { failureOf } from '../../lib/file-answers.ts'
import { HttpPool, type PoolAnswer, readAnswer } from '../../lib/http-pool.ts'
import type { Secret } from '../../lib/secret.ts'
import { uriEncode } from '../../lib/s3/target.ts'

export interface DetectOptions extends Op {
  readonly url: string
  /** For a server of Open-Meteo; another Flotilla takes it as well. */
  readonly apikey?: Secret | undefined
  readonly credentials?: FileCredentials | undefined
  readonly nowMs: () => number
  readonly silenceMs?: number | undefined
}

export type Detected =
  /** With the trees that may be read. */
  | { readonly kind: 'flotilla'; readonly trees: readonly string[] }
  | { readonly kind: 'open-meteo' }
  | { readonly kind: 's3' }

const SILENCE_MS = 30_000
const BODY_BYTES = 1024 * 1024

/**
 * What answers at a URL that files are to be pulled from: one request, or two where something stands in front of it. Rejects with
 * `UNREACHABLE` where it is none of the three, with `UNAUTHENTICATED` or `FORBIDDEN` where it is a Flotilla that refuses the credentials.
 */
export async function detectSource(options: DetectOptions): Promise<Detected> {
  const { origin, pathname } = originOf(options.url)
  const pool = new HttpPool({ origin, name: origin, connections: 1, silenceMs: options.silenceMs ?? SILENCE_MS })
  const token = options.credentials ?? (options.apikey && { token: options.apikey })
  const ask = async (path: string, credentials: FileCredentials | undefined): Promise<PoolAnswer> => {
    const request = { method: 'GET', path } as const
    const headers = authorizer(credentials, origin, options.nowMs)(request)
    return await pool.send({ ...request, headers, signal: options.signal })
  }
  try {
    const first = await ask(`${PEER_PATH}trees`, token)
    if (first.header(PEER_HEADER) !== undefined) {
      if (first.status === 401 && token === undefined) {
        await first.discard()
        throw unauthenticated(origin, '')
      }
      if (first.status !== 200) throw await failureOf(first, 'the list of its trees', origin)
      return { kind: 'flotilla', trees: treesIn(await textOf(first)) }
    }
    const kind = kindOfError(await textOf(first))
    if (kind !== undefined) return { kind }
    const key = options.apikey && `&apikey=${uriEncode(options.apikey.reveal())}`
    const base = pathname.endsWith('/') ? pathname : `${pathname}/`
    const path = `${base}?list-type=2&delimiter=%2F&prefix=data%2F&max-keys=1${key ?? ''}`
    const second = await ask(path, options.credentials)
    const listed = kindOfListing(await textOf(second))
    if (listed !== undefined) return { kind: listed }
    throw new FlotillaError('UNREACHABLE', `${origin} is neither a Flotilla, nor Open-Meteo, nor S3`, {
      hint: `It answers ${second.status}. Check the address.`,
    })
  } finally {
    await pool.close()
  }
}

async function textOf(answer: PoolAnswer): Promise<string> {
  return (await readAnswer(answer, BODY_BYTES)).toString('utf8')
}

function treesIn(text: string): readonly string[] {
  try {
    const { trees } = JSON.parse(text) as Partial<PeerTrees>
    return Array.isArray(trees) ? trees.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}

/** Each answers in its own form to what it does not know. facts: errors of Vapor, on which Open-Meteo's server is built, and of S3. */
function kindOfError(text: string): 'open-meteo' | 's3' | undefined {
  if (/^\s*\{[^]*"error"\s*:\s*true/.test(text)) return 'open-meteo'
  return /<Error\b[^>]*>\s*<Code>/.test(text) ? 's3' : undefined
}

/** A bucket has ETags, and more than one entry comes in pages. */
function kindOfListing(text: string): 'open-meteo' | 's3' | undefined {
  if (!text.includes('<ListBucketResult')) return kindOfError(text)
  const isOpenMeteo = text.includes('<Name>openmeteo</Name>') && text.includes('<MaxKeys>1000</MaxKeys>')
  return isOpenMeteo && !text.includes('<ETag>') ? 'open-meteo' : 's3'
}
