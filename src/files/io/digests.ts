import { createHash, type Hash } from 'node:crypto'
import type { PutOptions } from '../../core/files/tree-files.ts'

export interface DigestsWanted {
  readonly md5: boolean
  readonly sha256: boolean
}

/** What is computed of a body: what was announced of it, and what was asked for. */
export function digestsOf({ md5, sha256, digests }: PutOptions): DigestsWanted {
  return { md5: md5 !== undefined || (digests?.md5 ?? true), sha256: sha256 !== undefined || digests?.sha256 === true }
}

/** Of bytes that go by, only what is wanted: MD5 costs about twice as much as SHA-256. */
export class Digests {
  readonly #md5: Hash | undefined
  readonly #sha256: Hash | undefined

  constructor({ md5, sha256 }: DigestsWanted) {
    this.#md5 = md5 ? createHash('md5') : undefined
    this.#sha256 = sha256 ? createHash('sha256') : undefined
  }

  update(chunk: Uint8Array): void {
    this.#md5?.update(chunk)
    this.#sha256?.update(chunk)
  }

  /** Once, at the end. */
  values(): { readonly md5: string | undefined; readonly sha256: string | undefined } {
    return { md5: this.#md5?.digest('hex'), sha256: this.#sha256?.digest('hex') }
  }
}
