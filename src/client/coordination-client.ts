import { randomUUID } from 'node:crypto'
import type {
  ArrivalRequest,
  BarrierAnswer,
  ClaimAnswer,
  ClaimRequest,
  LineAnswer,
  LinesAnswer,
  NodeMetaAnswer,
  NodeMetasAnswer,
  WaitAnswer,
} from '../core/api-coordination.ts'
import type { Clock } from '../core/clock.ts'
import type { ClaimKind } from '../core/coordination/claims.ts'
import type { NodeMetaChange } from '../core/coordination/progress.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { apiPath, HubConnection, type HubConnectionOptions } from '../lib/hub-connection.ts'
import { parseEvents } from '../lib/sse.ts'
import { answered, LOST } from './answered.ts'

export interface CoordinationClientOptions extends HubConnectionOptions {
  readonly clock: Clock
}

/** One condition on one value, as the API takes it. */
export type WaitQuery = {
  /** A param, or a member of meta. */
  readonly param?: string | undefined
  readonly meta?: string | undefined
  /** JSON. */
  readonly equals?: string | undefined
  readonly matches?: string | undefined
  readonly exists?: true | undefined
  readonly absent?: true | undefined
  readonly waitMs?: number | undefined
}

/** How long an answer may be late, over what it was allowed to wait. */
const PATIENCE_MS = 15_000
const EVENT_CHARS = 16 * 1024 * 1024

/**
 * Elections, locks, barriers, waits and progress of a hub, one method a call. Every method rejects with the `FlotillaError` that the
 * hub answers, or `UNREACHABLE`. Contending and arriving whose answer is lost are asked for again, with the same `session`: they
 * are done once. How long a lease lasts counts from the first asking, therefore.
 */
export class CoordinationClient {
  readonly #hub: HubConnection
  readonly #clock: Clock

  constructor({ clock, ...options }: CoordinationClientOptions) {
    this.#hub = new HubConnection(options)
    this.#clock = clock
  }

  close(): void {
    this.#hub.close()
  }

  contend(kind: ClaimKind, name: string, request: ClaimRequest, op?: Op): Promise<ClaimAnswer> {
    const path = kind === 'elect' ? ['elections', name, 'campaign'] : ['locks', name, 'acquire']
    return this.#once(path, request, op)
  }

  /** Waits until it holds, or until it is gone, up to `waitMs`. Rejects with `LEASE_ENDED` when it is gone. */
  claim(
    kind: ClaimKind,
    name: string,
    who: string,
    query: { readonly revision?: number; readonly waitMs?: number; readonly until?: 'held' | 'gone' },
    op?: Op,
  ): Promise<ClaimAnswer> {
    return this.#ask('GET', [baseOf(kind), name, 'claims', who], { query, waitMs: query.waitMs, ...op })
  }

  /** Rejects with `NOT_FOUND` where it is not there. */
  async release(kind: ClaimKind, name: string, who: string, revision?: number, op?: Op): Promise<void> {
    await this.#ask('DELETE', [baseOf(kind), name, 'claims', who], { query: { revision }, ...op })
  }

  async proclaim(name: string, who: string, revision: number, value: unknown, op?: Op): Promise<void> {
    await this.#ask('PUT', ['elections', name, 'claims', who, 'value'], { query: { revision }, json: { value }, ...op })
  }

  line(kind: ClaimKind, name: string, op?: Op): Promise<LineAnswer> {
    return this.#ask('GET', [baseOf(kind), name], { ...op })
  }

  lines(kind: ClaimKind, op?: Op): Promise<LinesAnswer> {
    return this.#ask('GET', [baseOf(kind)], { ...op })
  }

  /** The line now and whenever it is different. Ends with `UNREACHABLE` when the hub goes away. */
  async *observe(kind: ClaimKind, name: string, op: Op = {}): AsyncGenerator<LineAnswer, void> {
    const body = await this.#hub.open({ method: 'GET', path: apiPath([baseOf(kind), name, 'observe']), ...op })
    try {
      for await (const { event, data } of parseEvents(body, EVENT_CHARS)) {
        if (event === 'line') yield JSON.parse(data) as LineAnswer
      }
    } catch (error) {
      op.signal?.throwIfAborted()
      throw new FlotillaError('UNREACHABLE', `${this.#hub.url}: the events broke off`, { cause: error })
    } finally {
      body.destroy()
    }
    throw new FlotillaError('UNREACHABLE', `${this.#hub.url}: the events have ended`)
  }

  arrive(name: string, request: ArrivalRequest, op?: Op): Promise<BarrierAnswer> {
    return this.#once(['barriers', name, 'arrive'], request, op)
  }

  barrier(
    name: string,
    query: {
      readonly generation?: number
      readonly who?: string
      readonly expect?: string | undefined
      readonly waitMs?: number
    },
    op?: Op,
  ): Promise<BarrierAnswer> {
    return this.#ask('GET', ['barriers', name], { query, waitMs: query.waitMs, ...op })
  }

  /** `arrived` of the answer are those who have not left. */
  leave(name: string, who: string, waitMs: number, op?: Op): Promise<BarrierAnswer> {
    return this.#ask('DELETE', ['barriers', name, 'arrivals', who], { query: { waitMs }, waitMs, ...op })
  }

  waitForProfile(name: string, query: WaitQuery, op?: Op): Promise<WaitAnswer> {
    return this.#ask('GET', ['profiles', name, 'wait'], { query, waitMs: query.waitMs, ...op })
  }

  waitForNode(node: string, query: WaitQuery, op?: Op): Promise<WaitAnswer> {
    return this.#ask('GET', ['nodes', node, 'meta', 'wait'], { query, waitMs: query.waitMs, ...op })
  }

  nodeMeta(node: string, op?: Op): Promise<NodeMetaAnswer> {
    return this.#ask('GET', ['nodes', node, 'meta'], { ...op })
  }

  nodeMetas(op?: Op): Promise<NodeMetasAnswer> {
    return this.#ask('GET', ['nodes', 'meta'], { ...op })
  }

  changeNodeMeta(node: string, change: NodeMetaChange, op?: Op): Promise<NodeMetaAnswer> {
    return this.#ask('POST', ['nodes', node, 'meta'], { json: change, ...op })
  }

  async renew(lease: string, op?: Op): Promise<void> {
    await this.#ask('POST', ['store', 'leases', lease, 'renew'], { isRepeatable: true, ...op })
  }

  /** Ends it now, and all that was put under it. */
  async revoke(lease: string, op?: Op): Promise<void> {
    await this.#ask('DELETE', ['store', 'leases', lease], { isRepeatable: true, ...op })
  }

  #once<Answer>(path: readonly string[], request: ClaimRequest | ArrivalRequest, op?: Op): Promise<Answer> {
    const json = { session: randomUUID(), ...request }
    const { waitMs } = request
    const ask = (): Promise<Answer> =>
      this.#ask('POST', path, { json, waitMs, isRepeatable: true, ifLost: LOST, ...op })
    return answered(this.#clock, ask, op)
  }

  #ask<Answer>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', parts: readonly string[], asked: Asked): Promise<Answer> {
    const { query, waitMs = 0, ...rest } = asked
    return this.#hub.json({ method, path: apiPath(parts, query), answerMs: () => waitMs + PATIENCE_MS, ...rest })
  }
}

interface Asked extends Op {
  readonly json?: object
  readonly query?: Parameters<typeof apiPath>[1]
  readonly waitMs?: number | undefined
  readonly isRepeatable?: boolean
  readonly ifLost?: string
}

function baseOf(kind: ClaimKind): string {
  return kind === 'elect' ? 'elections' : 'locks'
}
