import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import type { BlobContent, BlobStore, PutOptions, Swept } from '../../src/releases/blobs.ts'

export type BlobOperation = 'sizes' | 'missing' | 'has' | 'put' | 'sync' | 'open' | 'read' | 'sweep'

/** Fails without any effect, or after the whole effect; undefined when nothing goes wrong. */
export type BlobFaultPlan = (operation: BlobOperation) => 'refuse' | 'lose-answer' | undefined

/** Blobs on a share that comes and goes: they keep the contract but for `UNREACHABLE`, which may come any time. */
export class FlakyBlobs implements BlobStore {
  readonly #inner: BlobStore
  readonly #plan: BlobFaultPlan

  constructor(inner: BlobStore, plan: BlobFaultPlan) {
    this.#inner = inner
    this.#plan = plan
  }

  async sizes(hashes: Iterable<string>, op?: Op): Promise<ReadonlyMap<string, number>> {
    return this.#disturbed('sizes', async () => this.#inner.sizes(hashes, op))
  }

  async missing(hashes: Iterable<string>, op?: Op): Promise<readonly string[]> {
    return this.#disturbed('missing', async () => this.#inner.missing(hashes, op))
  }

  async has(hash: string, op?: Op): Promise<boolean> {
    return this.#disturbed('has', async () => this.#inner.has(hash, op))
  }

  async put(hash: string, content: BlobContent, options: PutOptions): Promise<void> {
    return this.#disturbed('put', async () => this.#inner.put(hash, content, options))
  }

  async sync(op?: Op): Promise<void> {
    return this.#disturbed('sync', async () => this.#inner.sync(op))
  }

  async open(hash: string, options?: Op & { readonly offset?: number }): Promise<AsyncIterable<Uint8Array>> {
    return this.#disturbed('open', async () => this.#inner.open(hash, options))
  }

  async read(hash: string, op?: Op): Promise<Uint8Array> {
    return this.#disturbed('read', async () => this.#inner.read(hash, op))
  }

  async sweep(keep: ReadonlySet<string>, olderThanMs: number, op?: Op): Promise<Swept> {
    return this.#disturbed('sweep', async () => this.#inner.sweep(keep, olderThanMs, op))
  }

  async #disturbed<T>(operation: BlobOperation, work: () => Promise<T>): Promise<T> {
    const fault = this.#plan(operation)
    if (fault === 'refuse') throw unreachable(operation)
    const result = await work()
    if (fault === 'lose-answer') throw unreachable(operation)
    return result
  }
}

function unreachable(operation: BlobOperation): FlotillaError {
  return new FlotillaError('UNREACHABLE', `the share went away during ${operation}`)
}
