import type { IncomingMessage } from 'node:http'
import { FlotillaError, messageOf } from '../../core/errors.ts'
import type { ObjectReader } from '../../core/objects.ts'
import type { Op } from '../../core/op.ts'
import { apiPath, HubConnection } from '../../lib/hub-connection.ts'
import { readBody } from '../../lib/http.ts'
import { safePath } from '../../lib/safe-path.ts'
import type { Secret } from '../../lib/secret.ts'

export interface HttpObjectsOptions {
  /** For messages: `hub http://…`, `peer erd2`. */
  readonly name: string
  /** Base URL of a hub or a peer; the blob `abcdef…` is asked for at `<url>/v1/blobs/abcdef…`. */
  readonly url: string
  readonly token: Secret
  /** How long the other side may be silent before it counts as gone. */
  readonly silenceMs?: number | undefined
}

/**
 * The blobs of a hub or of a peer; keys are those of `blobKey`. It can be read, not listed. Besides what the contract
 * says, `open` rejects with what the other side answers, such as `FORBIDDEN`.
 */
export function httpObjects(options: HttpObjectsOptions): ObjectReader {
  const connection = new HubConnection(options)
  const { name } = options
  return {
    name,
    open: async (key, { signal, offset = 0 }: Op & { readonly offset?: number } = {}) => {
      const answer = await connection.open({ method: 'GET', path: apiPath(['blobs', hashOf(name, key)]), signal })
      return { [Symbol.asyncIterator]: () => bytesOf(name, answer, offset, signal) }
    },
  }
}

export interface BundleRequest extends Op {
  readonly manifest: string
  /** A manifest whose contents need not be sent again. */
  readonly base: string | undefined
  readonly limitBytes: number
}

/** Asks a hub for what a release brings in one answer. Rejects as the hub does, or with `UNREACHABLE` or `TOO_LARGE`. */
export function httpBundles(
  options: Omit<HttpObjectsOptions, 'name'>,
): (request: BundleRequest) => Promise<Uint8Array> {
  const connection = new HubConnection(options)
  return async ({ manifest, base, limitBytes, signal }) => {
    const path = apiPath(['blobs', manifest, 'bundle'], { base })
    const answer = await connection.open({ method: 'GET', path, signal })
    return await readBody(bytesOf(options.url, answer, 0, signal), limitBytes)
  }
}

function hashOf(name: string, key: string): string {
  const match = /^([0-9a-f]{2})\/([0-9a-f]{62})$/.exec(safePath(key))
  if (match === null) throw new FlotillaError('NOT_FOUND', `${name} has blobs only, not ${key}`)
  return `${match[1]}${match[2]}`
}

async function* bytesOf(
  name: string,
  answer: IncomingMessage,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  let skip = offset
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      if (chunk.byteLength > skip) yield skip === 0 ? chunk : chunk.subarray(skip)
      skip = Math.max(0, skip - chunk.byteLength)
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw new FlotillaError('UNREACHABLE', `${name}: the answer broke off: ${messageOf(error)}`, { cause: error })
  }
}
