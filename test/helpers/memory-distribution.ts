import type { AckLevel, AckWish, ChildReach, Reach } from '../../src/core/push/ack.ts'
import { isReached } from '../../src/core/push/ack.ts'
import type { ChildView, Distribution, IncomingBody, MissingFile, Receiver } from '../../src/core/push/distribution.ts'
import type { OpenedFile } from '../../src/core/files/tree-files.ts'
import type { Op } from '../../src/core/op.ts'
import type { Operation, PutOperation } from '../../src/core/push/operation.ts'
import type { OperationItem, RowsWish } from '../../src/core/push/child.ts'
import type { Hello, HelloAnswer, Outcome, SumRow, Sums } from '../../src/core/push/wire.ts'
import { compareKeys } from '../../src/core/files/entry.ts'
import { type MemoryServedTree, memoryTree } from './file-server.ts'

/** A child that has everything, or falls behind, as a test says. */
export interface MemoryChild {
  readonly name: string
  readonly tree: MemoryServedTree
  state: 'reached' | 'pending' | 'failed'
  error?: string
}

export interface AskedElsewhere {
  readonly key: string
  readonly hops: number
}

/** Distribution of a tree in memory: what its children have, lack and answer is what a test says. */
export class MemoryDistribution implements Distribution {
  readonly members: MemoryChild[] = []
  readonly receiver = new MemoryReceiver()
  readonly asked: { readonly key: string; readonly wish: AckWish }[] = []
  readonly askedElsewhere: AskedElsewhere[] = []
  readonly deleted = new Set<string>()
  readonly lacking = new Map<string, MissingFile[]>()
  fedBy: string | undefined
  outdatedBy: string | undefined
  leader: { readonly url: string | undefined } | undefined
  files?: NonNullable<Distribution['files']>
  ack: AckWish = { level: 'local', timeoutMs: 30_000 }

  add(name: string, files: Readonly<Record<string, string>> = {}): MemoryChild {
    const child: MemoryChild = { name, tree: memoryTree(name, files), state: 'reached' }
    this.members.push(child)
    return child
  }

  /** A child lacks this, since then. */
  lack(child: string, operation: Operation, recordedMs: number, error?: string): void {
    const known = this.lacking.get(child) ?? []
    const missing = { operation, recordedMs, ...(error !== undefined && { error }) }
    const all = [...known, missing].toSorted((a, b) => compareKeys(a.operation.key, b.operation.key))
    this.lacking.set(child, all)
  }

  async reached(key: string, wish: AckWish, { signal }: Op): Promise<Reach> {
    signal?.throwIfAborted()
    this.asked.push({ key, wish })
    const children = this.members.map(({ name, state, error }): ChildReach => ({
      child: urlOf(name),
      state,
      ...(error !== undefined && { error }),
    }))
    return { level: wish.level, isReached: this.#isReached(wish.level), children }
  }

  #isReached(level: AckLevel): boolean {
    return isReached(level, this.members.filter(({ state }) => state === 'reached').length, this.members.length)
  }

  async elsewhere(key: string, { hops }: { readonly hops: number } & Op): Promise<OpenedFile | undefined> {
    this.askedElsewhere.push({ key, hops })
    if (this.deleted.has(key)) return undefined
    return await this.members.find(({ tree }) => tree.index.files.has(key))?.tree.files.open(key)
  }

  children(): readonly ChildView[] {
    return this.members.map(({ name, state }) => ({
      name,
      url: urlOf(name),
      state: state === 'reached' ? 'in-step' : 'sending',
      behind: { operations: this.lacking.get(name)?.length ?? 0, bytes: 0, sinceMs: undefined },
      stuck: 0,
      heardMs: 0,
    }))
  }

  missing(
    child: string,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): readonly MissingFile[] | undefined {
    if (!this.members.some(({ name }) => name === child)) return undefined
    const all = this.lacking.get(child) ?? []
    return all.filter(({ operation }) => compareKeys(operation.key, after) > 0).slice(0, limit)
  }
}

function urlOf(name: string): string {
  return `http://${name}`
}

interface Received {
  readonly operation: Operation
  readonly content: Uint8Array | undefined
}

/** What a parent said, as it was said. */
class MemoryReceiver implements Receiver {
  readonly received: Received[] = []
  readonly hellos: Hello[] = []
  readonly deeps: { readonly keys: readonly string[]; readonly waitMs: number }[] = []
  readonly parts = new Map<string, Uint8Array>()
  /** Called before each chunk of a body is taken. */
  onChunk: () => Promise<void> = async () => undefined
  outcomeOf: (operation: Operation, content: Uint8Array | undefined) => Outcome = () => ({ result: 'applied' })
  isDeep = true
  readonly isLeaf = false

  async hello(hello: Hello): Promise<HelloAnswer> {
    this.hellos.push(hello)
    return { id: 'child-1' }
  }

  async operations(items: readonly OperationItem[]): Promise<readonly Outcome[]> {
    return items.map(({ operation, bytes: content }) => {
      this.received.push({ operation, content })
      return this.outcomeOf(operation, content)
    })
  }

  async partBytes(id: string): Promise<number> {
    return this.parts.get(id)?.byteLength ?? 0
  }

  async body(body: IncomingBody): Promise<Outcome> {
    const had = this.parts.get(body.id) ?? new Uint8Array(0)
    const chunks: Uint8Array[] = [had.subarray(0, body.from)]
    let operation: PutOperation | undefined
    try {
      for await (const chunk of body.chunks) {
        await this.onChunk()
        chunks.push(chunk)
      }
      operation = await body.operation()
    } catch (error) {
      this.parts.set(body.id, Buffer.concat(chunks))
      throw error
    }
    this.parts.delete(body.id)
    if (operation === undefined) return { result: 'failed', code: 'CHANGED', message: 'it came to nothing' }
    this.received.push({ operation, content: Buffer.concat(chunks) })
    return this.outcomeOf(operation, undefined)
  }

  async deep(keys: readonly string[], waitMs: number): Promise<boolean> {
    this.deeps.push({ keys, waitMs })
    return this.isDeep
  }

  async sums(prefix: string): Promise<Sums> {
    return Array.from({ length: 4096 }, () => prefix)
  }

  async rows({ prefix, buckets, after, limit }: RowsWish): Promise<readonly SumRow[]> {
    return [{ key: `${prefix}|${after}|${buckets.join(',')}`, content: String(limit) }]
  }
}

export interface FedTree extends MemoryServedTree {
  readonly distribution: MemoryDistribution
}

export function fedTree(name: string, contents: Readonly<Record<string, string | Uint8Array>> = {}): FedTree {
  return { ...memoryTree(name, contents), distribution: new MemoryDistribution() }
}

/** An operation that puts a file, as a root would record it. */
export function putOf(key: string, content: string, fields: Partial<PutOperation> = {}): PutOperation {
  return {
    key,
    version: { epoch: 1, sequence: 1 },
    size: content.length,
    modifiedMs: 1,
    etag: `e-${key.length}`,
    ...fields,
  }
}
