import type { Op } from '../../../core/op.ts'
import { compareDatasets } from '../definition/compare.ts'
import { expectations } from '../definition/expectations.ts'
import { Pace } from '../definition/pace.ts'
import type { Served } from './application.ts'
import { compareWithPage, type Shown } from './info-page.ts'
import type { Desired, Effect, Prepared } from './model.ts'
import type { NodeState } from './node-state.ts'
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
   * What loading asks for, of every active dataset whose definition is not, or not surely, the one that was loaded last.
   * Remembered from one look to the next.
   */
  async effects(prepared: Prepared, state: NodeState, op: Op): Promise<ReadonlyMap<string, Effect>> {
    const effects = new Map<string, Effect>()
    const remembered = new Map<string, Effect>()
    const pace = new Pace(op)
    for (const dataset of prepared.datasets.values()) {
      if (!dataset.active || !isUncertain(dataset, state)) continue
      await pace.rest()
      const { id, digest } = dataset
      const key = [id, state.loaded.get(id)?.digest, state.flagged.get(id)?.digest, digest].join(' ')
      const effect = this.#effects.get(key) ?? (await this.#effect(dataset, state))
      remembered.set(key, effect)
      effects.set(id, effect)
    }
    this.#effects = remembered
    return effects
  }

  /** What a page of ERDDAP shows of a wanted dataset: the new definition, or the one that was loaded before. */
  async shown(dataset: Desired, state: NodeState, page: Served): Promise<Shown | 'absent' | 'private' | 'unreachable'> {
    if (typeof page === 'string') return page
    const loaded = state.loaded.get(dataset.id)
    const isChanged = loaded !== undefined && loaded.digest !== dataset.digest
    if (loaded?.proved === true && !isChanged) return 'same'
    const before = isChanged ? await this.#versions.source(loaded.version, dataset.id) : undefined
    const after = expectations(before, dataset.source, ATTRIBUTES_MAX)
    if (before === undefined) return compareWithPage(page, after)
    return compareWithPage(page, after, expectations(dataset.source, before, ATTRIBUTES_MAX))
  }

  /** A flag that was set for another definition may have been taken before that definition was replaced. */
  async #effect(dataset: Desired, state: NodeState): Promise<Effect> {
    const flagged = state.flagged.get(dataset.id)
    const candidates = [state.loaded.get(dataset.id), flagged?.digest === dataset.digest ? undefined : flagged]
    let strongest: Effect = 'new'
    for (const candidate of candidates.filter((each) => each !== undefined)) {
      const before = await this.#versions.source(candidate.version, dataset.id)
      // Without its definition there is no telling what of the stored index is wrong.
      const effect = before === undefined ? 'hard' : compareDatasets(before, dataset.source).effect
      if (strongest === 'new' || effect === 'hard' || strongest === 'none') strongest = effect
    }
    return strongest
  }
}

function isUncertain({ id, digest }: Desired, state: NodeState): boolean {
  const flagged = state.flagged.get(id)
  return state.loaded.get(id)?.digest !== digest || (flagged !== undefined && flagged.digest !== digest)
}
