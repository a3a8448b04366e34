import { Mirror } from '../agent/mirror.ts'
import type { Memory } from '../agent/memory.ts'
import {
  CATALOG_LIMITS,
  CATALOG_ORDERS,
  type CatalogChoice,
  type CatalogOrder,
  type OrderOutcome,
} from '../core/api-catalog.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Store } from '../core/store.ts'
import { together } from '../lib/together.ts'
import { Wake } from '../lib/wake.ts'
import type { CatalogNode, Difference } from '../targets/geoserver/local.ts'

export interface OrdersOptions {
  readonly tree: string
  readonly node: string
  readonly catalog: CatalogNode
  readonly store: Store
  readonly memory: Memory
  /** These versions, by key, are to be released whatever goes with them. */
  readonly confirm: (versions: ReadonlyMap<string, string>) => void
  /** Brings a version to the hub. */
  readonly bring: (sha256: string, bytes: Uint8Array, op: Op) => Promise<void>
  /** Has the target look, and act on what was decided. */
  readonly look: () => void
  /** Called after `outcomes` changed. */
  readonly onOutcome: () => void
  readonly clock: Clock
  readonly log: Logger
}

/** More than can wait at once, so that none is carried out twice. */
const REMEMBERED_MAX = 200
const AGAIN_MS = 2000
const IDLE_MS = 3_600_000

/** Carries out what people decided of this node's own changes, each order once. */
export class Orders implements Service {
  readonly name: string
  readonly #options: OrdersOptions
  readonly #mirror: Mirror
  readonly #wake: Wake<'order'>
  #outcomes: readonly OrderOutcome[] = []

  constructor(options: OrdersOptions) {
    const { tree, node, store, clock } = options
    this.#options = options
    this.name = `orders ${tree}`
    this.#wake = new Wake(clock)
    const prefixes = [keys.orders(node, tree)] as const
    this.#mirror = new Mirror({ store, prefixes, onChange: () => this.#wake.poke('order') })
  }

  /** Newest first. */
  get outcomes(): readonly OrderOutcome[] {
    return this.#outcomes.slice(0, CATALOG_LIMITS.outcomes)
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#load()
    await together(
      [async (either) => await this.#mirror.run(either), async (either) => await this.#work(either)],
      signal,
    )
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isDone = await this.#carryOut(signal)
      await this.#wake.wait({ ms: isDone ? IDLE_MS : AGAIN_MS, signal })
    }
  }

  async #load(): Promise<void> {
    const text = await this.#options.memory.load(`catalog-${this.#options.tree}-orders`)
    if (text !== undefined) this.#outcomes = JSON.parse(text) as OrderOutcome[]
  }

  /** Answers whether none is left that could not be carried out just now. */
  async #carryOut(signal: AbortSignal): Promise<boolean> {
    const known = new Set(this.#outcomes.map(({ id }) => id))
    const entries = [...this.#mirror.entries.values()].toSorted((a, b) => a.revision - b.revision)
    let isDone = true
    for (const entry of entries) {
      const order = orderIn(entry)
      if (order === undefined || known.has(order.id)) continue
      const outcome = await this.#outcomeOf(order, { signal })
      if (outcome === undefined) isDone = false
      else await this.#note(outcome)
    }
    return isDone
  }

  /** Undefined where it is to be tried again. */
  async #outcomeOf(order: CatalogOrder, op: Op): Promise<OrderOutcome | undefined> {
    const { clock, log } = this.#options
    const { id, order: what, author } = order
    try {
      await this.#do(order, op)
      log.info('carried out an order', { order: what, by: author })
      return { id, order: what, state: 'done', atMs: clock.nowMs() }
    } catch (error) {
      if (op.signal?.aborted === true || isError(error, 'UNREACHABLE', 'NOT_READY')) return undefined
      if (!isError(error)) throw error
      const { code, message, details } = error
      log.warn('an order could not be carried out', { order: what, by: author, code, error: message })
      const why = { code, message, ...(details.hint !== undefined && { hint: details.hint }) }
      return { id, order: what, state: 'refused', error: why, atMs: clock.nowMs() }
    }
  }

  async #do({ order, choices = [], sha256 = '' }: CatalogOrder, op: Op): Promise<void> {
    const { catalog, bring, look, confirm } = this.#options
    if (order === 'show') await bring(sha256, await this.#version(sha256, op), op)
    else if (order === 'take-over') await catalog.takeOver()
    else if (order === 'confirm-removal') confirm(new Map((await catalog.confirmRemoval(op)).map((key) => [key, ''])))
    else await this.#decide(order, choices)
    if (order !== 'show') look()
  }

  async #decide(verdict: 'adopt' | 'revert', choices: readonly CatalogChoice[]): Promise<void> {
    const { catalog, confirm } = this.#options
    const differences = new Map(catalog.look()?.differences.map((each) => [each.key, each]))
    for (const choice of choices) checkSeen(choice, differences.get(choice.key))
    const chosen = choices.map(({ key }) => key)
    await catalog.decide(chosen, verdict)
    if (verdict === 'adopt') confirm(new Map(chosen.map((key) => [key, differences.get(key)?.local?.digest ?? ''])))
  }

  /** Of the last look, of what is kept, or `NOT_FOUND`. */
  async #version(sha256: string, op: Op): Promise<Uint8Array> {
    const { catalog } = this.#options
    const tree = catalog.look()?.tree
    const file = tree?.files.find((each) => each.sha256 === sha256)
    return tree === undefined || file === undefined ? await catalog.readKept(sha256) : await tree.read(file.path, op)
  }

  async #note(outcome: OrderOutcome): Promise<void> {
    const { memory, tree, onOutcome } = this.#options
    this.#outcomes = [outcome, ...this.#outcomes].slice(0, REMEMBERED_MAX)
    await memory.save(`catalog-${tree}-orders`, JSON.stringify(this.#outcomes))
    onOutcome()
  }
}

/** Throws `CHANGED` where somebody decided on another version than what is there. */
function checkSeen({ key, local, desired }: CatalogChoice, now: Difference | undefined): void {
  const isSame = now?.local?.sha256 === local && now?.desired?.sha256 === desired
  if (now !== undefined && isSame) return
  throw new FlotillaError('CHANGED', `${key} is no longer what it was when that was decided; nothing was done`, {
    hint: 'Look at `flotilla catalog diff`, then decide again.',
  })
}

/** Only the hub writes these; one of a newer hub may ask for what is not known here. */
function orderIn({ value }: Entry): CatalogOrder | undefined {
  const order = JSON.parse(value) as Partial<CatalogOrder>
  const isKnown = [...CATALOG_ORDERS, 'show'].some((one) => one === order.order)
  return isKnown ? (order as CatalogOrder) : undefined
}
