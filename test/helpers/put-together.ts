import { buffer } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import type { FileEntry } from '../../src/core/files/entry.ts'
import type {
  GivenFile,
  OpenedFile,
  PutOptions,
  PutResult,
  PutTogether,
  RemoveOptions,
  TreeFiles,
  WantedFile,
} from '../../src/core/files/tree-files.ts'
import type { Op } from '../../src/core/op.ts'

interface Waiting {
  readonly file: GivenFile
  readonly settle: (settled: PromiseSettledResult<PutResult>) => void
}

/** Whatever is put goes through `putAll`, with all else that is put at the same moment. */
export class TogetherFiles implements TreeFiles {
  readonly #files: TreeFiles & PutTogether
  #waiting: Waiting[] = []

  constructor(files: TreeFiles & PutTogether) {
    this.#files = files
  }

  async open(key: string, op?: Op): Promise<OpenedFile | undefined> {
    return this.#files.open(key, op)
  }

  async gather(wanted: readonly WantedFile[]): Promise<readonly (FileEntry | undefined)[]> {
    return this.#files.gather(wanted)
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<PutResult> {
    if (options.follow !== undefined) return this.#files.put(key, body, options)
    const bytes = await buffer(checked(body, options))
    const { promise, resolve } = Promise.withResolvers<PromiseSettledResult<PutResult>>()
    this.#waiting.push({ file: { key, bytes, options }, settle: resolve })
    if (this.#waiting.length === 1) void this.#flush()
    const settled = await promise
    if (settled.status === 'rejected') throw settled.reason
    return settled.value
  }

  async remove(key: string, options?: RemoveOptions & Op): Promise<'removed' | 'absent' | 'failed-condition'> {
    return this.#files.remove(key, options)
  }

  async #flush(): Promise<void> {
    await setImmediate()
    for (let left = this.#waiting.splice(0); left.length > 0;) {
      const keys = new Set<string>()
      const batch = left.filter(({ file }) => !keys.has(file.key) && keys.add(file.key))
      left = left.filter((one) => !batch.includes(one))
      void this.#put(batch)
    }
  }

  async #put(batch: readonly Waiting[]): Promise<void> {
    const settled = await this.#files.putAll(batch.map(({ file }) => file))
    batch.forEach(({ settle }, index) => settle(settled[index]!))
  }
}

async function* checked(
  body: AsyncIterable<Uint8Array>,
  { check, signal }: PutOptions & Op,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    signal?.throwIfAborted()
    check?.(chunk)
    yield chunk
  }
  check?.(undefined)
}
