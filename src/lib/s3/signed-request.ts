import type { KeyObject } from 'node:crypto'
import type { Headers } from './canonical.ts'
import type { Target } from './target.ts'

export interface SignedRequest {
  readonly method: string
  readonly target: Target
  /** Best `headersDistinct` of Node.js, whose names are in lower case. */
  readonly headers: Headers
  /** Of a request in virtual-host style: what its host names. Signature Version 2 has it before the path. */
  readonly bucket?: string | undefined
  readonly nowMs: number
}

export interface Verified {
  readonly accessKey: string
  readonly payload: Payload
  /** `x-amz-…` parameters of a presigned URL that stand for headers, such as `x-amz-meta-…`: lower-case names. */
  readonly hoisted: Readonly<Record<string, string>>
}

/** What was said about the body, and is to be held to it. */
export type Payload =
  | { readonly kind: 'unsigned' }
  /** Lower-case hex, of the whole body. A body that was said nothing of has to be empty. */
  | { readonly kind: 'sha256'; readonly sha256: string }
  /** To be read with `AwsChunkedBody`; its chunks are signed where there is a seed. */
  | { readonly kind: 'chunked'; readonly hasTrailer: boolean; readonly seed?: ChunkSeed }

/** What the signatures of chunks start from. */
export interface ChunkSeed {
  readonly key: KeyObject
  readonly dateTime: string
  readonly scope: string
  readonly signature: string
}
