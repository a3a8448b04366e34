import type { Clock } from '../core/clock.ts'
import type { Growing } from '../core/files/growing.ts'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { AckWish, Reach } from '../core/push/ack.ts'
import type { Child } from '../core/push/child.ts'
import type { ChildView, Distribution, MissingFile, Receiver, Relay } from '../core/push/distribution.ts'
import type { Election } from '../core/push/election.ts'
import type { LedgerRow, OpenLedger } from '../core/push/ledger.ts'
import { isGone, type PutOperation } from '../core/push/operation.ts'
import type { Provisioned, RepairReport, RepairWish, Upkeep } from '../core/push/upkeep.ts'
import type { Below, HelloAnswer } from '../core/push/wire.ts'
import type { Service } from '../core/service.ts'
import { supervise } from '../lib/supervise.ts'
import type { ChildFiles } from './child-http-files.ts'
import { Backlog } from './distribution-backlog.ts'
import { Copies } from './distribution-copies.ts'
import { DeepProbes } from './distribution-deep.ts'
import { forgetDeletions } from './distribution-deletions.ts'
import { Elsewhere } from './distribution-elsewhere.ts'
import { type Member, reach } from './distribution-reach.ts'
import { follow } from './distribution-follow.ts'
import { helloOf } from './distribution-hello.ts'
import { isFedByLeader, Leading, offeredAfter } from './distribution-roots.ts'
import { troubleOf, viewOf } from './distribution-views.ts'
import type { Pace } from './lanes-body.ts'
import { compareWith, repairRegularly, type RepairOptions } from './repair.ts'
import { meeting } from './take-back-meeting.ts'
import { provision } from './repair-provision.ts'
import { RelayBoard } from './sender-relay.ts'
import { operationOf } from './sender-content.ts'
import { Sender } from './sender.ts'

export interface ChildAt {
  /** Host and port, with a path where it has one. */
  readonly name: string
  readonly child: Child
  /** To read from it what is not here. */
  readonly files: ChildFiles
}

export interface DistributionOptions {
  /** Of this node, for people: host and port. */
  readonly name: string
  readonly tree: string
  /** Undefined where there is none yet: at a node without children that nobody feeds. */
  readonly ledger: () => OpenLedger | undefined
  readonly files: TreeFiles
  readonly index: Pick<TreeIndex, 'page'>
  /** Keeps what was not here and was read from a child. */
  readonly keepsCopies?: boolean | undefined
  readonly receiver: Receiver
  readonly children: readonly ChildAt[]
  readonly ack: AckWish
  /** Where this is one of several roots. */
  readonly election?: Election | undefined
  /** Of what is to be caught up; one for all trees of a node. */
  readonly throttle?: Pace | undefined
  /** Each content goes to one child, who passes it on to the others; see `RELAY_HEADER`. */
  readonly isRelayed?: boolean | undefined
  /** Likewise of what comes from the parent of this node. */
  readonly relay?: Relay | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

interface Fed extends Member, ChildAt {
  readonly backlog: Backlog
}

/** One tree on its way from this node to its children. */
export class TreeDistribution implements Distribution, Upkeep {
  readonly upkeep = this
  readonly relay: Relay | undefined
  readonly receiver: Receiver
  readonly ack: AckWish
  readonly #options: DistributionOptions
  readonly #relay: RelayBoard | undefined
  #fed: readonly Fed[]
  readonly #leading: Leading | undefined
  readonly #elsewhere: Elsewhere
  readonly #copies: Copies | undefined

  /** The ledger must be there where there are children. */
  constructor(options: DistributionOptions) {
    this.receiver = options.receiver
    this.ack = options.ack
    this.#options = options
    this.relay = options.relay
    this.#leading = options.election && new Leading(options.election, options.clock)
    this.#relay = options.isRelayed === true ? new RelayBoard(options.clock) : undefined
    this.#fed = options.children.map((at) => this.#feed(at))
    const children = (): readonly ChildFiles[] => this.#fed.map(({ files }) => files)
    this.#elsewhere = new Elsewhere({ ledger: options.ledger, children, clock: options.clock })
    this.#copies = options.keepsCopies === true ? this.#copying() : undefined
  }

  get leader(): { readonly url: string | undefined } | undefined {
    const { election } = this.#options
    return election === undefined || election.term !== undefined ? undefined : { url: election.leader?.url }
  }

  get fedBy(): string | undefined {
    return this.#options.ledger()?.parent()?.name
  }

  get outdatedBy(): string | undefined {
    if (this.#options.election !== undefined || this.fedBy !== undefined) return undefined
    return this.#fed.find(({ sender }) => sender.isOutdated)?.name
  }

  /**
   * What keeps a node below from its files, worst first. Of several roots each says only what it sees itself: they are below each other, and would
   * tell each other forever.
   */
  get below(): Below | undefined {
    const own = this.#fed.filter((fed) => !this.#isFedElsewhere(fed))
    return troubleOf(own, this.#options.election === undefined)
  }

  /** Of one of several roots: false while it may not know yet what the one before it has acknowledged. */
  get isSettled(): boolean {
    const senders = this.#fed.map(({ sender }) => sender)
    return this.#leading?.isSettled(senders, this.receiver.handed?.() ?? new Map()) ?? true
  }

  /** To be run, all of them, for as long as the tree is served. */
  get services(): readonly Service[] {
    const { tree } = this.#options
    const senders = (): readonly Sender[] => this.#fed.map(({ sender }) => sender)
    const deletions = {
      name: `deletions of ${tree}`,
      run: async (signal: AbortSignal) => forgetDeletions(this.#options, senders, signal),
    }
    const copies = this.#copies === undefined ? [] : [this.#copies]
    return [...this.#fed.flatMap((fed) => this.#servicesOf(fed)), deletions, ...copies]
  }

  /** A child that joins while this runs, and is fed until the signal aborts. The ledger must be there. Never rejects. */
  async feed(at: ChildAt, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#options
    const fed = this.#feed(at)
    this.#fed = [...this.#fed, fed]
    try {
      await supervise(this.#servicesOf(fed), { clock, log, random, signal })
    } finally {
      this.#fed = this.#fed.filter((one) => one !== fed)
      this.#relay?.leave(at.child.url)
      await Promise.allSettled([at.child.close(), at.files.close()])
    }
  }

  /** After each row, when it is durable: what `PushedTurns`, the adoption and the receiver say. */
  onRecorded(): void {
    for (const { sender } of this.#fed) sender.poke()
  }

  /** A body comes in: as `PushedFiles` and the receiver tell. */
  onGrowing(growing: Growing, outcome: Promise<PutOperation | undefined>): void {
    const senders = this.#fed.filter((fed) => !this.#isFedElsewhere(fed)).map(({ sender }) => sender)
    follow(senders, growing, outcome, this.#relay !== undefined)
  }

  /** Another parent feeds this node than before, or of several roots another leads. */
  onParent(): void {
    this.#leading?.look()
    this.#greetOthers()
  }

  /** As of `Receiver`. */
  async deep(keys: readonly string[], waitMs: number, op: Op): Promise<boolean> {
    const wish = { level: 'all', timeoutMs: waitMs, isPatient: true } as const
    // Whoever asks sees to those itself that it feeds too.
    const members = this.#fed.filter((fed) => !this.#isFedElsewhere(fed))
    const reaches = await Promise.all(keys.map(async (key) => this.#reached(members, key, wish, op)))
    return reaches.every(({ isReached }) => isReached)
  }

  async reached(key: string, wish: AckWish, op: Op): Promise<Reach> {
    return await this.#reached(this.#fed, key, wish, op)
  }

  async elsewhere(key: string, options: { readonly hops: number } & Op): Promise<OpenedFile | undefined> {
    const found = await this.#elsewhere.open(key, options)
    if (found !== undefined) this.#copies?.want(key)
    return found
  }

  children(): readonly ChildView[] {
    return this.#fed.map((fed) => viewOf(fed, this.#isFedElsewhere(fed)))
  }

  missing(
    child: string,
    options: { readonly after: string; readonly limit: number },
  ): readonly MissingFile[] | undefined {
    return this.#find(child)?.backlog.missing(options)
  }

  files(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly PutOperation[] {
    const rows = this.#options.ledger()?.page(options) ?? []
    return rows.map(operationOf).filter((operation): operation is PutOperation => !isGone(operation))
  }

  async repair(child: string, wish: RepairWish): Promise<RepairReport | undefined> {
    const fed = this.#find(child)
    return fed && (await compareWith(this.#compared(fed), wish))
  }

  provision(child: string, op: Op): AsyncIterable<Provisioned> | undefined {
    const fed = this.#find(child)
    return fed && provision({ ...fed, clock: this.#options.clock }, op)
  }

  /** When nothing runs any more. */
  async close(): Promise<void> {
    for (const { child, files } of this.#fed) {
      await child.close()
      await files.close()
    }
  }

  async #reached(members: readonly Fed[], key: string, wish: AckWish, op: Op): Promise<Reach> {
    if (members.length === 0) return { level: wish.level, isReached: true, children: [] }
    return await reach({ ledger: this.#ledger, members, clock: this.#options.clock }, key, wish, op)
  }

  /** Of several roots the one that leads feeds it. */
  #isFedElsewhere({ sender }: Fed): boolean {
    const { election } = this.#options
    return election !== undefined && isFedByLeader({ election, ledger: this.#ledger }, sender.answer)
  }

  #greetOthers(but?: Sender): void {
    for (const { sender } of this.#fed) if (sender !== but) sender.greetAgain()
  }

  get #ledger(): OpenLedger {
    const ledger = this.#options.ledger()
    if (ledger === undefined) throw new Error(`the tree ${this.#options.tree} has children and no ledger`)
    return ledger
  }

  #find(name: string): Fed | undefined {
    return this.#fed.find((one) => one.name === name || one.url === name)
  }

  #feed(at: ChildAt): Fed {
    const { clock, log, random, files, throttle, election } = this.#options
    const relay = this.#relay
    const ledger = this.#ledger
    const options = { child: at.child, ledger, files, clock, log, random, throttle, relay }
    const sender: Sender = new Sender({
      ...options,
      hello: () => helloOf({ ...this.#options, ledger }, sender),
      onMet: meeting({ ...this.#options, ledger, compared: () => this.#compared({ ...at, sender }) }),
      outdatedBy: () => this.outdatedBy,
      onOutdated: () => this.#greetOthers(sender),
      ...(election !== undefined && {
        offeredAfter: (row: LedgerRow, child: HelloAnswer) => offeredAfter({ election, ledger }, row, child),
      }),
    })
    const backlog = new Backlog(ledger, sender, clock)
    return { ...at, url: at.child.url, sender, probes: new DeepProbes(at.child), backlog }
  }

  #compared({ child, sender, files: theirs }: Pick<Fed, 'child' | 'sender' | 'files'>): RepairOptions {
    const { index, files } = this.#options
    return { child, sender, ledger: this.#ledger, index, files, theirs, onRecorded: () => this.onRecorded() }
  }

  #servicesOf(fed: Fed): readonly Service[] {
    const { name, sender, backlog } = fed
    const { clock, log, random, election } = this.#options
    return [
      sender,
      { name: `backlog of ${name}`, run: async (signal) => backlog.run(signal) },
      {
        name: `comparison with ${name}`,
        run: async (signal) => repairRegularly({ ...this.#compared(fed), election, clock, log, random }, signal),
      },
    ]
  }

  #copying(): Copies {
    const { tree, ledger, files, log } = this.#options
    const open = async (key: string, op: Op) => this.#elsewhere.open(key, { hops: 0, ...op })
    return new Copies({ tree, ledger, files, open, log })
  }
}
