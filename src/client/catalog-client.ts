import type {
  CatalogAnswer,
  CatalogKeptAnswer,
  CatalogOrderAnswer,
  CatalogOrderRequest,
  OrderOutcome,
} from '../core/api-catalog.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { readBody } from '../lib/http.ts'
import { apiPath, HubConnection, type HubConnectionOptions } from '../lib/hub-connection.ts'

export interface CatalogClientOptions extends HubConnectionOptions {
  readonly clock: Clock
}

/** A version of a file of a catalog. */
export interface VersionAt {
  readonly tree: string
  /** Who has it, where no release does. */
  readonly node: string
  readonly sha256: string
}

export interface WaitOp extends Op {
  /** 30 s unless told. */
  readonly timeoutMs?: number | undefined
}

const LOOK_FIRST = 'It is not known whether it was done: look at the catalog, then decide again.'
const WAIT_MS = 30_000
const LOOK_MS = 200
const VERSION_BYTES = 64 * 1024 * 1024

/**
 * What nodes changed of a catalog by themselves, and what people say to that. Every method rejects with the `FlotillaError` that the hub
 * answers, or `UNREACHABLE`.
 */
export class CatalogClient {
  readonly #hub: HubConnection
  readonly #clock: Clock

  constructor({ clock, ...options }: CatalogClientOptions) {
    this.#hub = new HubConnection(options)
    this.#clock = clock
  }

  close(): void {
    this.#hub.close()
  }

  /** Every node that keeps the tree, with what differs there. */
  catalog(tree: string, op?: Op): Promise<CatalogAnswer> {
    return this.#hub.json({ method: 'GET', path: apiPath(['trees', tree, 'catalog'], {}), ...op })
  }

  /** Versions that were overwritten on a node. Their bytes: `version`. */
  kept(tree: string, node: string, op?: Op): Promise<CatalogKeptAnswer> {
    return this.#hub.json({ method: 'GET', path: apiPath(['trees', tree, 'catalog', node, 'kept'], {}), ...op })
  }

  /** Answers as soon as the order is written; the node carries it out, at the latest when it can reach the hub again. */
  order(tree: string, node: string, request: CatalogOrderRequest, op?: Op): Promise<CatalogOrderAnswer> {
    const path = apiPath(['trees', tree, 'catalog', node, 'orders'], {})
    return this.#hub.json({ method: 'POST', path, json: request, ifLost: LOOK_FIRST, ...op })
  }

  /** Waits for what comes of an order. Rejects with `NOT_READY` where the node has not told in time. */
  async outcome(
    tree: string,
    node: string,
    id: string,
    { timeoutMs = WAIT_MS, signal }: WaitOp = {},
  ): Promise<OrderOutcome> {
    const endMs = this.#clock.monotonicMs() + timeoutMs
    for (;;) {
      const { nodes } = await this.catalog(tree, { signal })
      const found = nodes.find((one) => one.node === node)?.catalog.orders.find((one) => one.id === id)
      if (found !== undefined) return found
      if (this.#clock.monotonicMs() >= endMs) {
        throw new FlotillaError('NOT_READY', `${node} has not said yet what came of it`, {
          hint: `It does it when it can: look at \`flotilla catalog status\`. After an hour the order ends.`,
        })
      }
      await this.#clock.sleep(LOOK_MS, signal)
    }
  }

  /**
   * The bytes of a version, in portable form, encrypted passwords in them: whoever shows them masks these. The hub has those of
   * releases; others are asked of the node. Rejects with `NOT_FOUND` and `NOT_READY`.
   */
  async version({ tree, node, sha256 }: VersionAt, op: WaitOp = {}): Promise<Uint8Array> {
    const held = await this.#blob(sha256, op)
    if (held !== undefined) return held
    const path = apiPath(['trees', tree, 'catalog', node, 'versions', sha256], {})
    const { id } = await this.#hub.json<CatalogOrderAnswer>({
      method: 'POST',
      path,
      ifLost: LOOK_FIRST,
      signal: op.signal,
    })
    const { error } = await this.outcome(tree, node, id, op)
    const brought = error === undefined ? await this.#blob(sha256, op) : undefined
    if (brought !== undefined) return brought
    throw new FlotillaError('NOT_FOUND', error?.message ?? `${node} no longer has that version`)
  }

  /** For the node that was asked for it. */
  async bring({ tree, node, sha256 }: VersionAt, content: Uint8Array, op?: Op): Promise<void> {
    const path = apiPath(['trees', tree, 'catalog', node, 'versions', sha256], {})
    await this.#hub.json({ method: 'PUT', path, bytes: content, ...op })
  }

  async #blob(sha256: string, { signal }: Op): Promise<Uint8Array | undefined> {
    try {
      const answer = await this.#hub.open({ method: 'GET', path: apiPath(['blobs', sha256], {}), signal })
      return await readBody(answer, VERSION_BYTES)
    } catch (error) {
      if (isError(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }
}
