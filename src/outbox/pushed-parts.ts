import type { Part, TreeParts } from '../core/files/tree-parts.ts'
import { FOLLOW_BYTES, type PutOptions, type PutResult } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import type { PushedOptions } from './pushed-files.ts'
import { pushedPut } from './pushed-put.ts'

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
    return pushedPut(turns, key, options, async (given, outcome) => {
      // Of what has the wrong size nothing comes.
      const isRight = part.bytes === (options.size ?? part.bytes)
      if (isRight && part.bytes > FOLLOW_BYTES) onGrowing(part.follow(key), outcome)
      return part.place(key, given)
    })
  }
}
