import type { NodeCatalog } from '../core/api-catalog.ts'
import type { Clock } from '../core/clock.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import type { Store } from '../core/store.ts'
import { keystoreMark } from './keystore.ts'

export interface KeystoreCompareOptions {
  readonly tree: string
  readonly node: string
  readonly dataDirectory: string
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
}

/** It changes when a person changes it, and then GeoServer is started anew. */
const AGAIN_MS = 600_000

/** Whether this node has the keystore of the nodes whose passwords are released: found out before stores that need it vanish. */
export class KeystoreCompare {
  readonly #options: KeystoreCompareOptions
  #lookedMs = Number.NEGATIVE_INFINITY
  #mark: string | undefined
  #problem: Problem | undefined

  constructor(options: KeystoreCompareOptions) {
    this.#options = options
  }

  async look(op: Op): Promise<{ readonly mark: string | undefined; readonly problem: Problem | undefined }> {
    const { tree, dataDirectory, clock } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#lookedMs >= AGAIN_MS) {
      this.#mark = await keystoreMark(dataDirectory, tree)
      const before = this.#problem
      this.#problem = this.#mark === undefined ? undefined : await this.#compared(this.#mark, op)
      this.#lookedMs = nowMs
      if (this.#problem !== undefined && before === undefined) this.#options.log.warn(this.#problem.message, { tree })
    }
    return { mark: this.#mark, problem: this.#problem }
  }

  async #compared(mark: string, op: Op): Promise<Problem | undefined> {
    const { store, tree, node } = this.#options
    const { entries } = await store.list(keys.nodes, op)
    const sources = entries.flatMap(({ key, value }) => {
      const at = parseNodeKey(key)
      if (at?.family !== 'catalog' || at.tree !== tree || at.node === node) return []
      const told = JSON.parse(value) as Partial<NodeCatalog>
      return told.role === 'replica' || told.keystore === undefined ? [] : [{ node: at.node, mark: told.keystore }]
    })
    const [first] = sources
    if (first === undefined || sources.some((one) => one.mark === mark)) return undefined
    return {
      severity: 'warning',
      code: 'KEYSTORE_DIFFERS',
      file: 'security/geoserver.jceks',
      message: `the keystore of ${node} is another one than that of ${first.node}: no password of a release can be read here`,
      hint: 'Stop GeoServer here, give it the keystore and master password of the other node, then start it again.',
    }
  }
}
