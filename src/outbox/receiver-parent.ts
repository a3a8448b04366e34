import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { Hello } from '../core/push/wire.ts'

/** A parent that was not heard for so long may be replaced by one of another lineage. */
const SILENT_MS = 60_000
/** How often it is kept when it was heard, for people. */
const KEEP_MS = 10_000

interface ParentOptions {
  /** Started as one: nobody may feed it. */
  readonly isRoot: boolean
  readonly clock: Clock
  readonly log: Logger
}

/** Who may feed this node, and when it was heard. */
export class FeedingParent {
  readonly #options: ParentOptions
  /** After a restart everybody has been heard just now: they could not be, before. */
  #heardAt: number
  #keptAt = -Infinity

  constructor(options: ParentOptions) {
    this.#options = options
    this.#heardAt = options.clock.monotonicMs()
  }

  heard(ledger: OpenLedger): void {
    const { clock } = this.#options
    this.#heardAt = clock.monotonicMs()
    if (this.#heardAt - this.#keptAt < KEEP_MS) return
    this.#keptAt = this.#heardAt
    const parent = ledger.parent()
    if (parent !== undefined) ledger.keepParent({ ...parent, heardMs: clock.nowMs() })
  }

  /**
   * Rejects with `LOOP` or `FED_BY_ANOTHER`; nothing has changed then. Resolves with whether it is another parent than before, or lies
   * elsewhere.
   */
  async greeted(hello: Hello, ledger: OpenLedger): Promise<boolean> {
    const { clock, log } = this.#options
    const before = ledger.parent()
    this.#refuse(hello, ledger)
    const { from: id, name, lineage, above } = hello
    ledger.keepParent({ id, name, lineage, above, heardMs: clock.nowMs() })
    this.#heardAt = this.#keptAt = clock.monotonicMs()
    if (before?.lineage !== lineage) {
      log.info('a parent feeds this tree', { parent: name, instead: before?.name })
      // What this node did as a root of its own, such as to find what lay in its folder, has other versions than what comes now.
      if (!isNewer(hello, ledger)) await ledger.restart()
    }
    return before?.id !== id || before.above.join() !== above.join()
  }

  #refuse(hello: Hello, ledger: OpenLedger): void {
    const { isRoot, clock } = this.#options
    const { from, name, lineage, above } = hello
    if (from === ledger.id || above.includes(ledger.id)) {
      throw new FlotillaError('LOOP', `this node already feeds ${name}, directly or through others`, {
        hint: 'Remove it from the children there.',
      })
    }
    if (isRoot) {
      throw new FlotillaError('FED_BY_ANOTHER', `this node was started as a root, and takes nothing from ${name}`, {
        hint: 'Start it without `--root`, or remove it from the children there.',
      })
    }
    const parent = ledger.parent()
    const isKnown = parent?.lineage === lineage || parent?.id === from || parent?.id === hello.was
    if (parent === undefined || isKnown) return
    const silentMs = clock.monotonicMs() - this.#heardAt
    if (silentMs < SILENT_MS) {
      throw new FlotillaError('FED_BY_ANOTHER', `${parent.name} feeds this tree, not ${name}`, {
        hint: `Write there; or stop it, and wait for a minute after it was heard last.`,
        retryAfterMs: SILENT_MS - silentMs,
      })
    }
    if (!isNewer(hello, ledger)) {
      throw new FlotillaError('FED_BY_ANOTHER', `${name} is older than ${parent.name}, which fed this tree before`, {
        hint: 'What it has may be outdated. Move its ledger away, so that it begins anew, if it is to be the root.',
      })
    }
  }
}

/** Whether all that comes from there is news to this node. */
function isNewer({ epoch }: Hello, { newest }: OpenLedger): boolean {
  return newest === undefined || (epoch !== undefined && epoch > newest.epoch)
}
