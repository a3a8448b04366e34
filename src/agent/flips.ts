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
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { Wake } from '../lib/wake.ts'
import { concerns, flipIn, type Reported, reportsIn } from './flip-reports.ts'
import type { Memory } from './memory.ts'
import { Mirror } from './mirror.ts'

/** A tree whose groups of files become visible on all nodes together. */
export interface FlippedTree {
  readonly tree: string
  /** How long a generation waits for nodes that are alive and do not have it. */
  readonly waitMs: number
}

export interface FlipsOptions {
  readonly node: string
  readonly store: Store
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  readonly trees: readonly FlippedTree[]
  /** A generation of the tree may be shown now, or need not be kept: the gate is to be asked again. */
  readonly onFlip: (tree: string) => void
  /** What `reportOf` says of the tree has changed. */
  readonly onReport: (tree: string) => void
}

interface Tree extends FlippedTree {
  /** By key of the group's folder; the one that changed last comes last. */
  readonly groups: Map<string, Group>
}

interface Group {
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
/** Groups of a tree that are remembered, and flips that the store keeps: a folder for every run makes ever more of them. */
const GROUPS_MAX = 1000
const KEY_CHARS_MAX = 500
const NOTHING: GroupReport = { staged: [], asOf: 0 }

/**
 * Lets generations become visible on all nodes together: tells what this node has staged, follows what others have, and says so where
 * all have the same. What was once told to be staged is kept until a flip, also over a restart.
 */
export class Flips {
  readonly #options: FlipsOptions
  readonly #trees: ReadonlyMap<string, Tree>
  readonly #mirror: Mirror
  readonly #wake: Wake<'change'>

  private constructor(options: FlipsOptions, remembered: Remembered) {
    this.#options = options
    this.#trees = new Map(
      options.trees.map((tree) => [tree.tree, { ...tree, groups: restored(remembered[tree.tree]) }]),
    )
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
    return new Flips(options, text === undefined ? {} : (JSON.parse(text) as Remembered))
  }

  services(): readonly Service[] {
    return [this.#mirror, { name: 'flips', run: async (signal) => await this.#run(signal) }]
  }

  /** Undefined for a tree whose groups are not flipped together with other nodes. */
  gateOf(name: string): FlipGate | undefined {
    const tree = this.#trees.get(name)
    if (tree === undefined) return undefined
    return {
      // What the store cannot name is shown at once.
      offer: (group, generation) => (isNameable(name, group) ? this.#offer(tree, group, generation) : 'flip'),
      flipped: (group, generation) => this.#flipped(tree, group, generation),
    }
  }

  /** What to tell of the tree's groups: those that are not as the last flip left them. */
  reportOf(name: string): Readonly<Record<string, GroupReport>> | undefined {
    const tree = this.#trees.get(name)
    if (tree === undefined) return undefined
    const open = [...tree.groups].filter(
      ([group, { report }]) => report.staged.length > 0 || report.current !== this.#flipOf(name, group)?.generation,
    )
    return Object.fromEntries(open.map(([group, { report }]) => [group, report]))
  }

  /** Whether everything that the others show of what is here is visible here; undefined while that cannot be known. */
  isCaughtUp(name: string): boolean | undefined {
    if (this.#mirror.revision === undefined) return undefined
    return [...(this.#trees.get(name)?.groups ?? [])].every(([group, { report }]) => {
      const flip = this.#flipOf(name, group)
      return flip === undefined || flip.generation === report.current
    })
  }

  #offer(tree: Tree, name: string, generation: string): ReturnType<FlipGate['offer']> {
    const flip = this.#flipOf(tree.tree, name)
    const group = groupOf(tree, name, flip)
    const { answer, staged } = offered(group.report, generation, flip)
    if (staged !== group.report.staged) this.#remember(tree, name, group, { ...group.report, staged })
    return answer
  }

  #flipped(tree: Tree, name: string, generation: string): void {
    const group = groupOf(tree, name, this.#flipOf(tree.tree, name))
    const { report } = group
    if (report.current === generation) return
    const staged = report.staged.slice(report.staged.indexOf(generation) + 1)
    this.#remember(tree, name, group, { ...report, current: generation, staged })
  }

  /** After the store told something. */
  #look(): void {
    for (const tree of this.#trees.values()) {
      for (const [name, group] of tree.groups) {
        const flip = this.#flipOf(tree.tree, name)
        if (flip === undefined || flip.number === group.report.asOf) continue
        const staged = stagedAfter(group.report, flip)
        this.#remember(tree, name, group, { ...group.report, staged, asOf: flip.number })
        this.#options.onFlip(tree.tree)
      }
    }
    this.#wake.poke('change')
  }

  /** Tells of it only when it would be known after a restart as well. */
  #remember(tree: Tree, name: string, group: Group, report: GroupReport): void {
    const { memory, log, onReport } = this.#options
    group.report = report
    tree.groups.delete(name)
    tree.groups.set(name, group)
    for (const [old, { report: settled }] of tree.groups) {
      if (tree.groups.size <= GROUPS_MAX) break
      if (settled.staged.length === 0) tree.groups.delete(old)
    }
    const all: Remembered = Object.fromEntries(
      [...this.#trees].map(([one, { groups }]) => [
        one,
        [...groups].map(([key, { report: is }]) => [key, is] as const),
      ]),
    )
    void memory.save(MEMORY, JSON.stringify(all)).then(
      () => onReport(tree.tree),
      (error: unknown) => log.error('what is staged cannot be remembered, so it is not told', { error: String(error) }),
    )
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let dueMs = IDLE_MS
      for (const tree of this.#trees.values()) {
        const nodes = reportsIn(this.#mirror.entries, tree.tree)
        for (const [name, group] of tree.groups) {
          if (nodes.some(({ groups }) => (groups[name]?.staged.length ?? 0) > 0)) {
            dueMs = Math.min(dueMs, await this.#decide(tree, name, group, nodes, { signal }))
          }
        }
      }
      await this.#wake.wait({ ms: dueMs, signal })
    }
  }

  /** Answers after how many ms to look again although nothing has changed. */
  async #decide(tree: Tree, name: string, group: Group, all: readonly Reported[], op: Op): Promise<number> {
    const { clock, node: self } = this.#options
    const flip = this.#flipOf(tree.tree, name)
    const nodes = all.map(({ node, alive, groups }): FlipNode => {
      const { current, staged, asOf } = groups[name] ?? { ...NOTHING, asOf: flip?.number ?? 0 }
      return { node, alive, current, staged, asOf }
    })
    const nowMs = clock.monotonicMs()
    const live = nodes.filter(({ alive }) => alive)
    const staged = new Set(live.flatMap((one) => one.staged))
    for (const one of group.known.keys()) if (!staged.has(one)) group.known.delete(one)
    for (const one of staged) if (!group.known.has(one)) group.known.set(one, nowMs)
    const knownMs = new Map([...group.known].map(([one, sinceMs]) => [one, nowMs - sinceMs]))
    const decision = decideFlip({ nodes, flip, knownMs, waitMs: tree.waitMs })
    if (!('flip' in decision)) return decision.inMs ?? IDLE_MS
    if (group.agreed?.generation !== decision.flip) group.agreed = { generation: decision.flip, atMs: nowMs }
    const turn = live.findIndex(({ node }) => node === self)
    const leftMs = Math.max(turn, 0) * TURN_MS - (nowMs - group.agreed.atMs)
    if (leftMs > 0) return leftMs
    await this.#commit(tree.tree, name, decision, op)
    return IDLE_MS
  }

  async #commit(tree: string, group: string, { flip: generation, without }: Agreed, op: Op): Promise<void> {
    const { store, clock, log, node } = this.#options
    const key = keys.flip(tree, group)
    const number = (this.#flipOf(tree, group)?.number ?? 0) + 1
    const record: FlipRecord = { generation, number, atMs: clock.nowMs(), by: node, without }
    const expect = [{ key, revision: this.#mirror.entries.get(key)?.revision ?? 0 }]
    const put = { op: 'put', key, value: JSON.stringify(record) } as const
    const old = this.#oldFlips(tree).map((one) => ({ op: 'delete', key: one }) as const)
    const commit = await store.commit({ expect, changes: [put, ...old.filter((one) => one.key !== key)] }, op)
    // Otherwise somebody else was first: the mirror tells what they found.
    if (commit.committed) log.info('all nodes show a generation', { tree, group, number, without })
  }

  /** Of groups that nobody has changed for long. */
  #oldFlips(tree: string): readonly string[] {
    const flips = [...this.#mirror.entries].filter(([key]) => key.startsWith(keys.flipsOf(tree)))
    const sorted = flips.toSorted(([, a], [, b]) => b.revision - a.revision)
    return sorted.slice(GROUPS_MAX, GROUPS_MAX + 100).map(([key]) => key)
  }

  #flipOf(tree: string, group: string): FlipRecord | undefined {
    return flipIn(this.#mirror.entries, tree, group)
  }
}

type Agreed = Extract<ReturnType<typeof decideFlip>, { readonly flip: string }>
type Remembered = Readonly<Record<string, readonly (readonly [string, GroupReport])[]>>

function restored(reports: Remembered[string] = []): Map<string, Group> {
  return new Map(reports.map(([group, report]) => [group, { report, known: new Map<string, number>() }]))
}

function isNameable(tree: string, group: string): boolean {
  return keys.flip(tree, group).length <= KEY_CHARS_MAX
}

function groupOf({ groups }: Tree, name: string, flip: FlipRecord | undefined): Group {
  const known = groups.get(name)
  if (known !== undefined) return known
  const group: Group = { report: { ...NOTHING, asOf: flip?.number ?? 0 }, known: new Map() }
  groups.set(name, group)
  return group
}
