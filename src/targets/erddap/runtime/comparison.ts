import type { Op } from '../../../core/op.ts'
import { compareDatasets } from '../definition/compare.ts'
import { expectations } from '../definition/expectations.ts'
import { Pace } from '../../../lib/pace.ts'
import type { Served } from './application.ts'
import { compareWithPage, type InfoPage, type Shown } from './info-page.ts'
import type { Desired, Effect, Prepared } from './model.ts'
import type { NodeState, Version } from './node-state.ts'
import type { Versions } from './versions.ts'

const ATTRIBUTES_MAX = 20

/** Compares what is wanted with what ERDDAP loaded, by the definitions that are kept in the state folder. */
export class Comparison {
  readonly #versions: Versions
  #effects = new Map<string, Effect>()

  constructor(versions: Versions) {
    this.#versions = versions
  }

  /**
   * What loading asks for, of every active dataset whose definition is not surely the one that is loaded. Remembered
   * from one look to the next.
   */
  async effects(prepared: Prepared, state: NodeState, op: Op): Promise<ReadonlyMap<string, Effect>> {
    const effects = new Map<string, Effect>()
    const remembered = new Map<string, Effect>()
    const pace = new Pace(op)
    for (const dataset of prepared.datasets.values()) {
      const others = candidates(dataset.id, state).filter(({ digest }) => digest !== dataset.digest)
      if (!dataset.active || (others.length === 0 && isKnown(dataset.id, state))) continue
      await pace.rest()
      const key = [dataset.id, dataset.digest, ...others.map(({ digest }) => digest)].join(' ')
      const effect = this.#effects.get(key) ?? (await this.#effect(dataset, others))
      remembered.set(key, effect)
      effects.set(dataset.id, effect)
    }
    this.#effects = remembered
    return effects
  }

  /** What a page of ERDDAP shows of a wanted dataset: its new definition, or one of those it may have had before. */
  async shown(dataset: Desired, state: NodeState, page: Served): Promise<Shown | 'absent' | 'private' | 'unreachable'> {
    if (typeof page === 'string') return page
    const others = candidates(dataset.id, state).filter(({ digest }) => digest !== dataset.digest)
    if (others.length > 0) {
      const each = await Promise.all(others.map(async ({ version }) => await this.#against(dataset, version, page)))
      // It must be told from every one of them.
      return (['old', 'unlike', 'same', 'new'] as const).find((shown) => each.includes(shown)) ?? 'same'
    }
    if (state.loaded.has(dataset.id) || !isKnown(dataset.id, state)) return 'same'
    return compareWithPage(page, expectations(undefined, dataset.source, ATTRIBUTES_MAX))
  }

  async #against(dataset: Desired, version: string, page: InfoPage): Promise<Shown> {
    const before = await this.#versions.source(version, dataset.id)
    if (before === undefined) return 'same'
    const after = expectations(before, dataset.source, ATTRIBUTES_MAX)
    return compareWithPage(page, after, expectations(dataset.source, before, ATTRIBUTES_MAX))
  }

  async #effect(dataset: Desired, others: readonly Version[]): Promise<Effect> {
    let strongest: Effect = 'new'
    for (const { version } of others) {
      const before = await this.#versions.source(version, dataset.id)
      // Without its definition there is no telling what of the stored index is wrong.
      const effect = before === undefined ? 'hard' : compareDatasets(before, dataset.source).effect
      if (strongest === 'new' || effect === 'hard' || strongest === 'none') strongest = effect
    }
    return strongest
  }
}

/** Whether ERDDAP read a definition of it ever. */
export function isKnown(id: string, { loaded, maybe }: NodeState): boolean {
  return loaded.has(id) || maybe.has(id)
}

/** Every definition that ERDDAP may have loaded; a flag may have been answered with the one it was set for. */
function candidates(id: string, { loaded, maybe, flagged }: NodeState): readonly Version[] {
  return [loaded.get(id), ...(maybe.get(id) ?? []), flagged.get(id)].filter((each) => each !== undefined)
}
