import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import type { Child, LongBody, OperationItem, RowsWish } from '../../src/core/push/child.ts'
import type { Receiver } from '../../src/core/push/distribution.ts'
import type { Operation, PutOperation } from '../../src/core/push/operation.ts'
import type { Hello, HelloAnswer, Outcome, SumRow, Sums } from '../../src/core/push/wire.ts'

/** What one asks of a child, with what belongs to it. */
export type Call =
  | { readonly name: 'hello' | 'partBytes' | 'sums' | 'rows' }
  | { readonly name: 'operations'; readonly items: readonly OperationItem[] }
  | { readonly name: 'body'; readonly body: LongBody }

/** A child without a network in between. */
export class MemoryChild implements Child {
  readonly url: string
  readonly #receiver: Receiver
  readonly calls: Call[] = []
  /** Bytes of contents that were sent here. */
  contentBytes = 0
  isClosed = false
  /** What it does with siblings; nothing unless told. */
  passOn:
    | ((operations: readonly Operation[], siblings: readonly string[]) => Promise<readonly (readonly number[])[]>)
    | undefined

  constructor(receiver: Receiver, url = 'http://child:1') {
    this.#receiver = receiver
    this.url = url
  }

  async hello(hello: Hello, op: Op): Promise<HelloAnswer> {
    this.calls.push({ name: 'hello' })
    return await this.#receiver.hello(hello, op)
  }

  async operations(
    items: readonly OperationItem[],
    { deepMs, relay = [], ...op }: Parameters<Child['operations']>[1],
  ): Promise<readonly Outcome[]> {
    this.calls.push({ name: 'operations', items })
    for (const { bytes } of items) this.contentBytes += bytes?.byteLength ?? 0
    const copies = items.map(({ operation, bytes }) => ({ operation, bytes: bytes && Uint8Array.from(bytes) }))
    let outcomes = await this.#receiver.operations(copies, op)
    const relayed =
      (relay.length > 0 &&
        (await this.passOn?.(
          items.map(({ operation }) => operation),
          relay,
        ))) ||
      []
    outcomes = outcomes.map((one, index) => withRelayed(one, relayed[index]))
    if (deepMs === undefined) return outcomes.map((one) => withDeep(one, this.#receiver.isLeaf))
    const keys = items.map(({ operation }) => operation.key)
    const isDeep = await this.#receiver.deep(keys, deepMs, op)
    return outcomes.map((one) => withDeep(one, isDeep))
  }

  async partBytes(id: string): Promise<number> {
    this.calls.push({ name: 'partBytes' })
    return await this.#receiver.partBytes(id)
  }

  async body(body: LongBody, op: Op): Promise<Outcome> {
    this.calls.push({ name: 'body', body })
    const count = (bytes: number): void => {
      this.contentBytes += bytes
    }
    const counted = async function* (): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of body.chunks) {
        count(chunk.byteLength)
        yield chunk
      }
    }
    let whole: Operation | undefined
    const operation = async (): Promise<PutOperation | undefined> => {
      const told = await body.operation()
      whole = told
      return told
    }
    const outcome = await this.#receiver.body({ ...body, chunks: counted(), operation }, op)
    const { relay = [] } = body
    const [relayed] = (whole !== undefined && relay.length > 0 && (await this.passOn?.([whole], relay))) || []
    return withRelayed(outcome, relayed)
  }

  async sums(prefix: string, op: Op): Promise<Sums> {
    this.calls.push({ name: 'sums' })
    return await this.#receiver.sums(prefix, op)
  }

  async rows(wish: RowsWish, op: Op): Promise<readonly SumRow[]> {
    this.calls.push({ name: 'rows' })
    return await this.#receiver.rows(wish, op)
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }
}

function withRelayed(outcome: Outcome, relayed: readonly number[] | undefined): Outcome {
  return isDone(outcome) && relayed !== undefined ? { ...outcome, relayed } : outcome
}

function withDeep(outcome: Outcome, isDeep: boolean): Outcome {
  return isDone(outcome) ? { ...outcome, isDeep } : outcome
}

function isDone(outcome: Outcome): outcome is Extract<Outcome, { readonly isDeep?: boolean }> {
  return outcome.result === 'applied' || outcome.result === 'same' || outcome.result === 'older'
}

/** What happens to a call on its way: thrown before it arrives, or after it did, or nothing. */
export interface Faults {
  readonly before?: (call: Call, signal: AbortSignal | undefined) => Promise<void> | void
  readonly after?: (call: Call, signal: AbortSignal | undefined) => Promise<void> | void
  /** Takes the place of a chunk of a body; throws to cut it. */
  readonly chunk?: (chunk: Uint8Array, at: number) => Uint8Array
}

/** A child that is reached through something that is not always there. */
export class FaultyChild implements Child {
  readonly url: string
  readonly #child: Child
  readonly faults: Faults

  constructor(child: Child, faults: Faults) {
    this.url = child.url
    this.#child = child
    this.faults = faults
  }

  async hello(hello: Hello, op: Op): Promise<HelloAnswer> {
    return await this.#through({ name: 'hello' }, op, async () => this.#child.hello(hello, op))
  }

  async operations(
    items: readonly OperationItem[],
    options: Parameters<Child['operations']>[1],
  ): Promise<readonly Outcome[]> {
    return await this.#through({ name: 'operations', items }, options, async () =>
      this.#child.operations(items, options),
    )
  }

  async partBytes(id: string, op: Op): Promise<number> {
    return await this.#through({ name: 'partBytes' }, op, async () => this.#child.partBytes(id, op))
  }

  async body(body: LongBody, op: Op): Promise<Outcome> {
    const { chunk: change } = this.faults
    const { chunks, from } = body
    const changed = async function* (): AsyncGenerator<Uint8Array, void> {
      let at = from
      for await (const chunk of chunks) {
        yield change === undefined ? chunk : change(chunk, at)
        at += chunk.byteLength
      }
    }
    return await this.#through({ name: 'body', body }, op, async () =>
      this.#child.body({ ...body, chunks: changed() }, op),
    )
  }

  async sums(prefix: string, op: Op): Promise<Sums> {
    return await this.#through({ name: 'sums' }, op, async () => this.#child.sums(prefix, op))
  }

  async rows(wish: RowsWish, op: Op): Promise<readonly SumRow[]> {
    return await this.#through({ name: 'rows' }, op, async () => this.#child.rows(wish, op))
  }

  async close(): Promise<void> {
    await this.#child.close()
  }

  async #through<T>(call: Call, { signal }: Op, work: () => Promise<T>): Promise<T> {
    await this.faults.before?.(call, signal)
    signal?.throwIfAborted()
    const answer = await work()
    await this.faults.after?.(call, signal)
    return answer
  }
}

/** Nothing listens there, or the answer does not come back. */
export function cut(): never {
  throw new FlotillaError('UNREACHABLE', 'the line is cut')
}

/** Accepts, and never answers. */
export async function hang(signal: AbortSignal | undefined): Promise<never> {
  return await new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
