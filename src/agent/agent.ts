import type { FlotillaError } from '../core/errors.ts'
import { messageOf } from '../core/errors.ts'
import type { Service } from '../core/service.ts'
import type { NodeAlive } from '../core/target.ts'
import { supervise } from '../lib/supervise.ts'
import { type AgentOptions, assemble, instanceOf, type Parts, renewInstance } from './parts.ts'
import { Presence } from './presence.ts'
import type { InUse } from './uptake.ts'
import { localWake } from './wake.ts'

const LEASE_MS = 15_000
/** A hub that comes back is found within this time, however long it was away. */
const MAX_DELAY_MS = 5000

/**
 * The process beside one server: keeps the node's name, follows what is wanted, keeps each target in step and tells about it.
 * Nothing here stops or slows the application, and nothing of it needs the hub to keep serving.
 */
export class Agent {
  readonly #options: AgentOptions
  readonly #services: readonly Service[]
  readonly #parts: Parts
  #presence: Presence | undefined

  /** `services` run as long as the agent does. */
  constructor(options: AgentOptions, services: readonly Service[] = []) {
    this.#options = options
    this.#services = services
    this.#parts = assemble(options, {
      fence: () => this.#presence?.fence(),
      onLost: () => this.#presence?.doubt(),
    })
  }

  /** Looks at everything again now, and tries again what was refused: for a person who asks. */
  look(): void {
    this.#parts.feed.look()
    for (const { wake } of this.#parts.trees) wake.poke('manual')
  }

  /** Says one more thing of this node, under a key of its own, as soon as the store can be reached. */
  tell(key: string, value: { readonly atMs: number }): void {
    this.#parts.reporter.tell(key, value)
  }

  /** What is in use, tree by tree; undefined while one of the trees has nothing yet. */
  inUse(): readonly InUse[] | undefined {
    const all = this.#parts.trees.map(({ uptake }) => uptake.inUse)
    return all.every((inUse) => inUse !== undefined) ? all : undefined
  }

  /**
   * Resolves when the signal is aborted and the last report is out. Rejects with `LOST_RACE` when another agent has this
   * node's name: two would undo each other's work.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, random, memory, newId } = this.#options
    const duplicate = new AbortController()
    this.#presence = await this.#presenceFor(duplicate)
    const goodbye = new AbortController()
    const common = { clock, log, random, maxDelayMs: MAX_DELAY_MS }
    // The name is given back last: the reports before it need it.
    const present = supervise([this.#presence], { ...common, signal: goodbye.signal })
    await supervise(this.#work(), { ...common, signal: AbortSignal.any([signal, duplicate.signal]) })
    await this.#lastReport()
    goodbye.abort()
    await present
    if (!duplicate.signal.aborted) return
    // Whoever held the name and lost it to a copy of itself must not take it back at the next start: they would take turns for ever.
    await renewInstance(memory, newId)
    throw duplicate.signal.reason as FlotillaError
  }

  async #presenceFor(duplicate: AbortController): Promise<Presence> {
    const { memory, newId, store, clock, log, leaseMs = LEASE_MS } = this.#options
    const instance = await instanceOf(memory, newId)
    return new Presence({
      store,
      clock,
      log,
      alive: this.#alive(instance),
      ttlMs: leaseMs,
      onClaimed: () => this.#parts.reporter.repeat(),
      onDuplicate: (error) => duplicate.abort(error),
    })
  }

  #alive(instance: string): NodeAlive {
    const { node, version, values, peerUrl, files, targets, clock } = this.#options
    const serves = targets.flatMap(({ tree, serves: at }) => (at === undefined ? [] : [[tree, at] as const]))
    return {
      node,
      version,
      instance,
      startedAtMs: clock.nowMs(),
      values,
      trees: targets.map(({ tree }) => tree),
      ...(peerUrl !== undefined && { peerUrl }),
      ...files,
      ...(serves.length > 0 && { serves: Object.fromEntries(serves) }),
    }
  }

  #work(): readonly Service[] {
    const { feed, reporter, trees } = this.#parts
    const services: Service[] = [...feed.services(), reporter, ...this.#services]
    for (const { tree, reconciler, localChanges, settleMs, wake } of trees) {
      services.push(reconciler)
      if (localChanges === undefined) continue
      services.push(localWake({ name: tree, changes: localChanges, wake, clock: this.#options.clock, settleMs }))
    }
    return services
  }

  async #lastReport(): Promise<void> {
    try {
      await this.#parts.reporter.flush()
    } catch (error) {
      this.#options.log.warn('the last report did not get out', { error: messageOf(error) })
    }
  }
}
