import type { Clock } from '../core/clock.ts'
import {
  decideFlip,
  type FlipGate,
  type FlipNode,
  type FlipRecord,
  type GroupReport,
  offered,
  stagedAfter,
} from '../core/files/flip.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Store } from '../core/store.ts'
import { Wake } from '../lib/wake.ts'
import type { Memory } from './memory.ts'
import { Mirror } from './mirror.ts'

/** A group of files whose generations become visible on all nodes together. */
export interface FlippedGroup {
  readonly tree: string
  readonly group: string
  /** How long a generation waits for nodes that are alive and do not have it. */
  readonly waitMs: number
}

export interface FlipsOptions {
  readonly node: string
  readonly store: Store
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  readonly groups: readonly FlippedGroup[]
  /** A generation of the tree may be shown now, or need not be kept: the gate is to be asked again. */
  readonly onFlip: (tree: string) => void
  /** What `reportOf` says of the tree has changed. */
  readonly onReport: (tree: string) => void
}

interface Group extends FlippedGroup {
  report: GroupReport
  /** By generation that is staged somewhere: since when that is known here. */
  readonly known: Map<string, number>
  /** What all should show, as far as can be seen from here. */
  agreed?: { readonly generation: string; readonly atMs: number }
}

const MEMORY = 'flips'
/** Everybody finds at the same moment that all have it: one should be enough to say so. */
const TURN_MS = 100
const IDLE_MS = 3_600_000

/**
 * Lets generations become visible on all nodes together: tells what this node has staged, follows what others have, and says so where
 * all have the same. What was once told to be staged is kept until a flip, also over a restart.
 */
export class Flips {
  readonly #options: FlipsOptions
  readonly #groups: readonly Group[]
  readonly #mirror: Mirror
  readonly #wake: Wake<'change'>

  private constructor(options: FlipsOptions, reports: Readonly<Record<string, GroupReport>>) {
    this.#options = options
    this.#groups = options.groups.map((group) => ({
      ...group,
      report: reports[nameOf(group)] ?? { staged: [], asOf: 0 },
      known: new Map(),
    }))
    this.#wake = new Wake(options.clock)
    this.#mirror = new Mirror({
      store: options.store,
      prefixes: [keys.flips, keys.nodes],
      onChange: (changed) => {
        if (changed.some(concerns)) this.#look()
      },
    })
  }

  /** With what was remembered. */
  static async open(options: FlipsOptions): Promise<Flips> {
    const text = await options.memory.load(MEMORY)
    return new Flips(options, text === undefined ? {} : (JSON.parse(text) as Record<string, GroupReport>))
  }

  services(): readonly Service[] {
    return [this.#mirror, { name: 'flips', run: async (signal) => await this.#run(signal) }]
  }

  /** Undefined for a tree none of whose groups is flipped together with other nodes. */
  gateOf(tree: string): FlipGate | undefined {
    const groups = this.#groups.filter((group) => group.tree === tree)
    if (groups.length === 0) return undefined
    const find = (name: string): Group | undefined => groups.find(({ group }) => group === name)
    return {
      offer: (name, generation) => {
        const group = find(name)
        return group === undefined ? 'flip' : this.#offer(group, generation)
      },
      flipped: (name, generation) => {
        const group = find(name)
        if (group !== undefined) this.#flipped(group, generation)
      },
    }
  }

  /** What to tell of the tree's groups. */
  reportOf(tree: string): Readonly<Record<string, GroupReport>> {
    return Object.fromEntries(
      this.#groups.filter((group) => group.tree === tree).map(({ group, report }) => [group, report]),
    )
  }

  /** Whether everything that the others show is visible here; undefined while that cannot be known. */
  isCaughtUp(tree: string): boolean | undefined {
    if (this.#mirror.revision === undefined) return undefined
    return this.#groups
      .filter((group) => group.tree === tree)
      .every((group) => {
        const flip = this.#flipOf(group)
        return flip === undefined || flip.generation === group.report.current
      })
  }

  #offer(group: Group, generation: string): ReturnType<FlipGate['offer']> {
    const { answer, staged } = offered(group.report, generation, this.#flipOf(group))
    if (staged !== group.report.staged) this.#remember(group, { ...group.report, staged })
    return answer
  }

  #flipped(group: Group, generation: string): void {
    const { report } = group
    if (report.current === generation) return
    const staged = report.staged.slice(report.staged.indexOf(generation) + 1)
    this.#remember(group, { ...report, current: generation, staged })
  }

  /** After the store told something. */
  #look(): void {
    for (const group of this.#groups) {
      const flip = this.#flipOf(group)
      if (flip === undefined || flip.number === group.report.asOf) continue
      const staged = stagedAfter(group.report, flip)
      this.#remember(group, { ...group.report, staged, asOf: flip.number })
      this.#options.onFlip(group.tree)
    }
    this.#wake.poke('change')
  }

  /** Tells of it only when it would be known after a restart as well. */
  #remember(group: Group, report: GroupReport): void {
    const { memory, log, onReport } = this.#options
    group.report = report
    const text = JSON.stringify(Object.fromEntries(this.#groups.map((one) => [nameOf(one), one.report])))
    void memory.save(MEMORY, text).then(
      () => onReport(group.tree),
      (error: unknown) => log.error('what is staged cannot be remembered, so it is not told', { error: String(error) }),
    )
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const dueMs = await Promise.all(this.#groups.map(async (group) => await this.#decide(group, { signal })))
      await this.#wake.wait({ ms: Math.min(IDLE_MS, ...dueMs), signal })
    }
  }

  /** Answers after how many ms to look again although nothing has changed. */
  async #decide(group: Group, op: Op): Promise<number> {
    const { clock, node } = this.#options
    const nodes = this.#nodesOf(group)
    const nowMs = clock.monotonicMs()
    const staged = new Set(nodes.filter(({ alive }) => alive).flatMap((one) => one.staged))
    for (const one of group.known.keys()) if (!staged.has(one)) group.known.delete(one)
    for (const one of staged) if (!group.known.has(one)) group.known.set(one, nowMs)
    const knownMs = new Map([...group.known].map(([one, sinceMs]) => [one, nowMs - sinceMs]))
    const decision = decideFlip({ nodes, flip: this.#flipOf(group), knownMs, waitMs: group.waitMs })
    if (!('flip' in decision)) return decision.inMs ?? IDLE_MS
    if (group.agreed?.generation !== decision.flip) group.agreed = { generation: decision.flip, atMs: nowMs }
    const turn = nodes.filter(({ alive }) => alive).findIndex((one) => one.node === node)
    const leftMs = Math.max(turn, 0) * TURN_MS - (nowMs - group.agreed.atMs)
    if (leftMs > 0) return leftMs
    await this.#commit(group, decision, op)
    return IDLE_MS
  }

  async #commit(group: Group, { flip: generation, without }: Agreed, op: Op): Promise<void> {
    const { store, clock, log, node } = this.#options
    const key = keys.flip(group.tree, group.group)
    const number = (this.#flipOf(group)?.number ?? 0) + 1
    const record: FlipRecord = { generation, number, atMs: clock.nowMs(), by: node, without }
    const expect = [{ key, revision: this.#mirror.entries.get(key)?.revision ?? 0 }]
    const commit = await store.commit({ expect, changes: [{ op: 'put', key, value: JSON.stringify(record) }] }, op)
    // Somebody else was first: the mirror tells what they found.
    if (commit.committed)
      log.info('all nodes show a generation', { tree: group.tree, group: group.group, number, without })
  }

  #flipOf({ tree, group }: FlippedGroup): FlipRecord | undefined {
    return parsed(this.#mirror.entries.get(keys.flip(tree, group)), isFlip)
  }

  /** Those that say that they flip this group together with others, by name. */
  #nodesOf({ tree, group }: FlippedGroup): readonly FlipNode[] {
    const { entries } = this.#mirror
    const found: FlipNode[] = []
    for (const entry of entries.values()) {
      const at = parseNodeKey(entry.key)
      if (at?.family !== 'files' || at.tree !== tree) continue
      const report = parsed(entry, isReport)?.groups?.[group]
      if (report === undefined) continue
      const { current, staged, asOf } = report
      found.push({ node: at.node, alive: entries.has(keys.alive(at.node)), current, staged, asOf })
    }
    return found.toSorted((a, b) => (a.node < b.node ? -1 : 1))
  }
}

type Agreed = Extract<ReturnType<typeof decideFlip>, { readonly flip: string }>

function nameOf({ tree, group }: FlippedGroup): string {
  return `${tree}/${group}`
}

function concerns(key: string): boolean {
  return key.startsWith(keys.flips) || /^node\/[^/]+\/(?:alive|files\/)/.test(key)
}

/** What another node wrote: where it has not the right form, it is as if it were not there. */
function parsed<T>(entry: Entry | undefined, is: (value: unknown) => value is T): T | undefined {
  if (entry === undefined) return undefined
  try {
    const value: unknown = JSON.parse(entry.value)
    return is(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isFlip(value: unknown): value is FlipRecord {
  const { generation, number } = (value ?? {}) as Partial<FlipRecord>
  return typeof generation === 'string' && Number.isSafeInteger(number)
}

function isReport(value: unknown): value is Pick<NodeFiles, 'groups'> {
  const { groups = {} } = (value ?? {}) as Partial<NodeFiles>
  return Object.values(groups).every(
    (group) =>
      Number.isSafeInteger(group?.asOf) &&
      Array.isArray(group?.staged) &&
      group.staged.every((one) => typeof one === 'string'),
  )
}
