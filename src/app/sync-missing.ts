import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../core/log.ts'
import { FAILURES_NAMED, type Summary } from '../core/sync/summary.ts'
import type { ModelSet } from '../core/sync/open-meteo.ts'
import type { Selection } from '../core/sync/selection.ts'

/** Words of Open-Meteo that stand for many variables. */
const MANY = 'really_download_all_'

/** Notices what was asked for and is nowhere: most likely a word is misspelt. */
export class Missing {
  readonly #models: ModelSet
  readonly #to: string
  /** `domain` and `domain/variable`, of what was listed or lies here. */
  readonly #seen = new Set<string>()

  readonly #told = new Set<string>()
  readonly #log: Logger

  constructor(models: ModelSet, to: string, log: Logger) {
    this.#models = models
    this.#to = to
    this.#log = log
  }

  watch(selection: Selection): Selection {
    const covers = (key: string): boolean => {
      const [domain = '', variable = ''] = key.split('/', 2)
      this.#seen.add(domain).add(`${domain}/${variable}`)
      return selection.covers(key)
    }
    return { ...selection, covers }
  }

  /** With a failure for each model that neither the source has nor this folder. Says once which variables none of the models has. */
  in(summary: Summary): Summary {
    const { domains, variables } = this.#models
    for (const name of variables) {
      if (this.#told.has(name) || name.startsWith(MANY)) continue
      if (domains.some((domain) => this.#has(`${domain}/${name}`))) continue
      this.#told.add(name)
      this.#log.warn(`none of the models has ${name}`)
    }
    const models = domains.filter((domain) => !this.#has(domain))
    if (models.length === 0) return summary
    const failures = models.map((key) => ({ key, code: 'NOT_FOUND', message: 'the source has no such model' }) as const)
    return {
      ...summary,
      complete: false,
      failed: summary.failed + failures.length,
      failures: [...failures, ...summary.failures].slice(0, FAILURES_NAMED),
    }
  }

  #has(path: string): boolean {
    if (this.#seen.has(path)) return true
    const isHere = statSync(join(this.#to, path), { throwIfNoEntry: false })?.isDirectory() === true
    if (isHere) this.#seen.add(path)
    return isHere
  }
}
