import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { type Election, rootsLineage } from '../core/push/election.ts'
import type { OpenLedger, ParentRecord } from '../core/push/ledger.ts'
import type { Hello } from '../core/push/wire.ts'

/** A parent that was not heard for so long may be replaced by one of another lineage. */
const SILENT_MS = 60_000
/** Whoever feeds it greets it several times within that. */
const GREETED_MS = 30_000
const GREETED_MAX = 64
/** How often it is kept when it was heard, for people. */
const KEEP_MS = 10_000

interface ParentOptions {
  /** Started as one: nobody may feed it. */
  readonly isRoot: boolean
  /** Where it is one of several: then the others may feed it, and nobody else. */
  readonly roots?: { readonly tree: string; readonly election: Election } | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Who may feed this node, and when it was heard. */
export class FeedingParent {
  readonly #options: ParentOptions
  /** After a restart everybody has been heard just now: they could not be, before. */
  #heardAt: number
  #keptAt = -Infinity
  /** Id of a ledger → when it greeted, of the monotonic clock. */
  readonly #greeted = new Map<string, { readonly atMs: number; readonly handed: number | undefined }>()

  constructor(options: ParentOptions) {
    this.#options = options
    this.#heardAt = options.clock.monotonicMs()
  }

  /** Ids of all that greeted it lately. */
  get lately(): readonly string[] {
    const sinceMs = this.#options.clock.monotonicMs() - GREETED_MS
    return [...this.#greeted].filter(([, { atMs }]) => atMs > sinceMs).map(([id]) => id)
  }

  /** As of `Receiver`. */
  get handed(): ReadonlyMap<string, number> {
    const found = this.lately.flatMap((id): [string, number][] => {
      const handed = this.#greeted.get(id)?.handed
      return handed === undefined ? [] : [[id, handed]]
    })
    return new Map(found)
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
    const { clock, log, roots } = this.#options
    const before = ledger.parent()
    if (roots === undefined) this.#refuse(hello, ledger)
    else refuseStrangers(hello, ledger, roots.tree)
    const { from: id, name, lineage, above } = hello
    this.#heardAt = clock.monotonicMs()
    this.#note(hello)
    if (this.#isBeside(hello, ledger)) return false
    this.#keptAt = this.#heardAt
    ledger.keepParent({ id, name, lineage, above, heardMs: clock.nowMs() })
    if (before?.lineage !== lineage) {
      log.info('a parent feeds this tree', { parent: name, instead: before?.name })
      // What this node did as a root of its own, such as to find what lay in its folder, has other versions than what comes now. Roots compete with
      // what they have.
      if (roots === undefined && !isNewer(hello, ledger) && !isReborn(hello, ledger, before)) await ledger.restart()
    }
    return before?.id !== id || before.above.join() !== above.join()
  }

  /** Whether it feeds this node, but is not who is above it: one of several roots that does not lead, or nobody who would be above a leader. */
  #isBeside({ from, lineage, term }: Hello, ledger: OpenLedger): boolean {
    if (term === undefined) return false
    const { roots } = this.#options
    if (roots !== undefined) return term === 0 || roots.election.term !== undefined
    const parent = ledger.parent()
    const isOther = parent?.lineage === lineage && parent.id !== from
    return term === 0 && isOther && this.lately.includes(parent.id)
  }

  #note({ from: id, term, handed = 0 }: Hello): void {
    this.#greeted.delete(id)
    this.#greeted.set(id, { atMs: this.#heardAt, handed: term === undefined ? undefined : handed })
    const [oldest] = this.#greeted.keys()
    if (this.#greeted.size > GREETED_MAX && oldest !== undefined) this.#greeted.delete(oldest)
  }

  #refuse(hello: Hello, ledger: OpenLedger): void {
    const { isRoot, clock } = this.#options
    const { from, name, lineage, above } = hello
    if (from === ledger.id || above.includes(ledger.id)) {
      throw new FlotillaError('LOOP', `this node already feeds ${name}, directly or through others`, {
        hint: 'Remove it from the children there.',
      })
    }
    const parent = ledger.parent()
    if (parent === undefined) refuseOutdated(hello, ledger)
    if (isRoot) {
      throw new FlotillaError('FED_BY_ANOTHER', `this node was started as a root, and takes nothing from ${name}`, {
        hint: 'Start it without `--root`, or remove it from the children there.',
      })
    }
    const isKnown = parent?.lineage === lineage || parent?.id === from || parent?.id === hello.was
    if (parent === undefined || isKnown) return
    const silentMs = clock.monotonicMs() - this.#heardAt
    if (silentMs < SILENT_MS) {
      const retryAfterMs = SILENT_MS - silentMs
      if (parent.name === name) {
        const message = `${name} has lost its state, or is another node than the one that fed this tree before`
        const hint = 'If nobody else feeds this tree, wait: it takes over a minute after the former was heard last.'
        throw new FlotillaError('FED_BY_ANOTHER', message, { hint, retryAfterMs })
      }
      if (isOlder(hello, ledger)) throw outdated(`${parent.name} feeds this tree, and has newer files than ${name}`)
      throw new FlotillaError('FED_BY_ANOTHER', `${parent.name} feeds this tree, not ${name}`, {
        hint: `Write there; or stop it, and wait for a minute after it was heard last.`,
        retryAfterMs,
      })
    }
    if (!isNewer(hello, ledger) && !isReborn(hello, ledger, parent)) {
      throw new FlotillaError('OUTDATED', `${name} is older than ${parent.name}, which fed this tree before`, {
        hint: 'What it has may be outdated. If it is to be the root, stop it, move push.sqlite* in its state folder away, and start it.',
      })
    }
  }
}

/** Roots feed each other, whoever leads: none is above the others, so there are no loops among them. */
function refuseStrangers({ from, name, lineage, term }: Hello, ledger: OpenLedger, tree: string): void {
  if (from === ledger.id) {
    throw new FlotillaError('LOOP', `this node is ${name} itself`, { hint: 'Remove it from its own children.' })
  }
  if (term !== undefined && lineage === rootsLineage(tree)) return
  throw new FlotillaError('FED_BY_ANOTHER', `this node is one of several roots, and takes nothing from ${name}`, {
    hint: 'Remove it from the children there, or make that node a root of the tree as well: `elected: true`.',
  })
}

/** Who took over as a root has what the one before it lacks, and may not be made its child again as if nothing had been written since. */
function refuseOutdated({ name, lineage, epoch }: Hello, ledger: OpenLedger): void {
  const former = ledger.formerParent()
  const newest = ledger.newest?.epoch ?? 0
  if (former === undefined || (epoch ?? 0) > newest || (lineage === former.lineage && epoch === newest)) return
  throw outdated(`this node took over from ${former.name}, and has newer files than ${name}`)
}

function outdated(message: string): FlotillaError {
  return new FlotillaError('OUTDATED', message, {
    hint:
      'Start the older one as a child of who took over. Or to throw away what was written since: stop who took over, and move `push.sqlite*` ' +
      'of this tree in its state folder away.',
  })
}

/** Whether there is something newer here than all that comes from there. */
function isOlder({ epoch = 0 }: Hello, { newest }: OpenLedger): boolean {
  return newest !== undefined && epoch < newest.epoch
}

/** Whether all that comes from there is news to this node. */
function isNewer({ epoch }: Hello, { newest }: OpenLedger): boolean {
  return newest === undefined || (epoch !== undefined && epoch > newest.epoch)
}

/** Whether it is at the address of the one before it, and has lost what that one knew: it takes back what is here, with its versions. */
function isReborn({ name, epoch }: Hello, { newest }: OpenLedger, before: ParentRecord | undefined): boolean {
  return before?.name === name && (epoch === undefined || epoch >= (newest?.epoch ?? 0))
}
