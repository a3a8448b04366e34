import type { FileFacts } from '../core/files/tree-index.ts'
import type { Part, TreeParts } from '../core/files/tree-parts.ts'
import { FOLLOW_BYTES, type PutOptions, type PutResult } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import { isGone, type Operation, type PutOperation } from '../core/push/operation.ts'
import type { PushedOptions } from './pushed-files.ts'

/**
 * Files that another program has written whole, such as nginx, on their way into the tree of a root: each is an operation like a put, and is
 * read by those who follow from its first byte on, while it is still verified.
 */
export class PushedParts implements Pick<TreeParts, 'take' | 'incoming'> {
  readonly #parts: Pick<TreeParts, 'take' | 'incoming'>
  readonly #options: PushedOptions

  constructor(parts: Pick<TreeParts, 'take' | 'incoming'>, options: PushedOptions) {
    this.#parts = parts
    this.#options = options
  }

  get incoming(): string {
    return this.#parts.incoming
  }

  async take(name: string, op?: Op): Promise<Part> {
    const part = await this.#parts.take(name, op)
    return {
      bytes: part.bytes,
      append: async (body, appending) => part.append(body, appending),
      follow: (key) => part.follow(key),
      place: async (key, options) => this.#place(part, key, options),
      close: async () => part.close(),
      remove: async () => part.remove(),
    }
  }

  async #place(part: Part, key: string, options: PutOptions & Op): Promise<PutResult> {
    const { turns, onGrowing } = this.#options
    const outcome = Promise.withResolvers<PutOperation | undefined>()
    let facts: FileFacts | undefined
    const given: PutOptions & Op = {
      ...options,
      digests: { md5: options.digests?.md5 ?? true, sha256: true },
      facts: () => (facts = options.facts?.() ?? {}),
    }
    const pushed = {
      turn: options.turn,
      ifNoneMatch: options.ifNoneMatch,
      headers: () => facts?.headers,
      onOperation: (operation: Operation) => outcome.resolve(isGone(operation) ? undefined : operation),
    }
    // Of what has the wrong size nothing comes.
    if (part.bytes > FOLLOW_BYTES && part.bytes === (options.size ?? part.bytes)) {
      onGrowing(part.follow(key), outcome.promise)
    }
    try {
      return await turns.with(key, pushed, async (turn) => part.place(key, { ...given, turn }))
    } finally {
      outcome.resolve(undefined)
    }
  }
}
