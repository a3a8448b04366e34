import type { ObjectReader } from '../../core/objects.ts'
import type { Secret } from '../../lib/secret.ts'

export interface HttpObjectsOptions {
  /** For messages: `hub`, `peer erd2`. */
  readonly name: string
  /** Base URL of a hub or a peer; the blob `abcdef…` is asked for at `<url>/v1/blobs/abcdef…`. */
  readonly url: string
  readonly token: Secret
}

/** The blobs of a hub or of a peer; keys are those of `blobKey`. */
export function httpObjects(_options: HttpObjectsOptions): ObjectReader {
  throw new Error('not built yet')
}
