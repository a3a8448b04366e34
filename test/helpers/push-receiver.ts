import { createHash } from 'node:crypto'
import { FlotillaError, messageOf } from '../../src/core/errors.ts'
import { compareKeys } from '../../src/core/files/entry.ts'
import { bucketOf, BUCKETS } from '../../src/core/push/buckets.ts'
import type { Op } from '../../src/core/op.ts'
import type { OperationItem } from '../../src/core/push/child.ts'
import type { IncomingBody, Receiver } from '../../src/core/push/distribution.ts'
import { compareVersions, isGone, type Operation, type PutOperation } from '../../src/core/push/operation.ts'
import type { Hello, HelloAnswer, Outcome, SumRow } from '../../src/core/push/wire.ts'
import { sha256 } from '../../src/lib/hash.ts'

export interface HeldFile {
  readonly operation: Operation
  /** Undefined of a deletion. */
  readonly bytes: Buffer | undefined
}

let receivers = 0

/** The plainest child there can be, and a judge of what it is told. */
export class MemoryReceiver implements Receiver {
  id = `child-${++receivers}`
  readonly held = new Map<string, HeldFile>()
  readonly parts = new Map<string, Buffer>()
  readonly hellos: Hello[] = []
  /** Bytes of contents that came, whatever became of them. */
  contentBytes = 0
  /** Keys that were written to at the same time: never any. */
  readonly together = new Set<string>()
  readonly #busy = new Set<string>()
  /** What is answered instead of taking the key. */
  refuses: (key: string) => Outcome | undefined = () => undefined
  /** Of what lies below. */
  isDeep = true
  isLeaf = false

  async hello(hello: Hello): Promise<HelloAnswer> {
    this.hellos.push(hello)
    return { id: this.id }
  }

  /** As if its disk had been replaced. */
  lose(): void {
    this.id = `child-${++receivers}`
    this.held.clear()
    this.parts.clear()
  }

  async operations(items: readonly OperationItem[], { signal }: Op): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = []
    for (const { operation, bytes } of items) {
      signal?.throwIfAborted()
      this.contentBytes += bytes?.byteLength ?? 0
      outcomes.push(await this.#alone(operation.key, async () => this.#take(operation, bytes && Buffer.from(bytes))))
    }
    return outcomes
  }

  async partBytes(id: string): Promise<number> {
    return this.parts.get(id)?.byteLength ?? 0
  }

  async body({ key, id, from, chunks, operation }: IncomingBody): Promise<Outcome> {
    return await this.#alone(key, async () => {
      const before = this.parts.get(id) ?? Buffer.alloc(0)
      if (from > before.byteLength) throw new FlotillaError('BAD_REQUEST', 'there is less of that body')
      this.parts.set(id, before.subarray(0, from))
      for await (const chunk of chunks) {
        this.contentBytes += chunk.byteLength
        this.parts.set(id, Buffer.concat([this.parts.get(id)!, chunk]))
      }
      const whole = await operation()
      const bytes = this.parts.get(id)!
      this.parts.delete(id)
      return whole === undefined ? { result: 'same' } : this.#take(whole, bytes)
    })
  }

  async deep(): Promise<boolean> {
    return this.isDeep
  }

  async sums(prefix: string): Promise<readonly string[]> {
    const buckets = Array.from({ length: BUCKETS }, () => [] as string[])
    for (const { key, content } of this.#rows(prefix)) buckets[bucketOf(sha256(key))]!.push(`${key}\0${content}\n`)
    return buckets.map((rows) => (rows.length === 0 ? '' : sha256(rows.join(''))))
  }

  async rows(wish: {
    readonly prefix: string
    readonly buckets: readonly number[]
    readonly after: string
    readonly limit: number
  }): Promise<readonly SumRow[]> {
    return this.#rows(wish.prefix)
      .filter(({ key }) => wish.buckets.includes(bucketOf(sha256(key))) && compareKeys(key, wish.after) > 0)
      .slice(0, wish.limit)
  }

  files(): ReadonlyMap<string, string> {
    const files = [...this.held].filter(([, { bytes }]) => bytes !== undefined)
    return new Map(files.map(([key, { bytes }]) => [key, bytes!.toString()]))
  }

  #rows(prefix: string): SumRow[] {
    return [...this.held]
      .filter(([key, { bytes }]) => bytes !== undefined && key.startsWith(prefix))
      .map(([key, { bytes }]) => ({ key, content: sha256(bytes!) }))
      .toSorted((a, b) => compareKeys(a.key, b.key))
  }

  async #alone(key: string, work: () => Promise<Outcome>): Promise<Outcome> {
    if (this.#busy.has(key)) this.together.add(key)
    this.#busy.add(key)
    try {
      return await work()
    } catch (error) {
      if (error instanceof FlotillaError && error.code === 'CORRUPT')
        return { result: 'failed', code: 'CORRUPT', message: messageOf(error) }
      throw error
    } finally {
      this.#busy.delete(key)
    }
  }

  #take(operation: Operation, content: Buffer | undefined): Outcome {
    const { key } = operation
    const refused = this.refuses(key)
    if (refused !== undefined) return refused
    const held = this.held.get(key)
    const order = held === undefined ? 1 : compareVersions(operation.version, held.operation.version)
    if (order < 0) return { result: 'older', isDeep: this.isDeep }
    if (isGone(operation)) {
      this.held.set(key, { operation, bytes: undefined })
      return { result: order === 0 ? 'same' : 'applied', isDeep: this.isDeep }
    }
    if (isContent(held?.bytes, operation)) {
      this.held.set(key, { operation, bytes: held?.bytes })
      return { result: 'same', isDeep: this.isDeep }
    }
    if (content === undefined) return { result: 'wanted' }
    if (!isContent(content, operation)) throw new FlotillaError('CORRUPT', `${key} is not what was announced`)
    this.held.set(key, { operation, bytes: content })
    return { result: 'applied', isDeep: this.isDeep }
  }
}

function isContent(bytes: Buffer | undefined, { size, sha256 }: PutOperation): boolean {
  if (bytes === undefined || bytes.byteLength !== size || sha256 === undefined) return false
  return createHash('sha256').update(bytes).digest('hex') === sha256
}
