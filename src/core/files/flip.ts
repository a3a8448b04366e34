/**
 * Generations that become visible on all nodes together. Each node fetches a generation beside the visible one and says so; when
 * every node that takes part has it, one commit names it, and each makes it visible on seeing that commit. Who commits does not matter:
 * it is a compare-and-set of one key, and everybody decides by the same rule.
 */

/**
 * What publishes the generations of a tree on one node asks this before it makes one visible. After a start it first tells
 * what is visible (`flipped`), and offers what lies staged on the disk once it has found that the source still has it.
 */
export interface FlipGate {
  /**
   * A generation of the group lies here, whole and verified, and is not visible yet. `generation`: SHA-256 of its manifest, so
   * the same on every node that has the same files. Answers at once:
   *
   * - `flip`: make it visible now, then call `flipped`.
   * - `wait`: keep it, and ask again in the next round, which begins as soon as the answer may be another one.
   * - `later`: enough are kept already; offer again what is the newest after the next flip.
   */
  offer(group: string, generation: string): 'flip' | 'wait' | 'later'

  /** It is visible now. Those of the group that were offered before it need not be kept any more. */
  flipped(group: string, generation: string): void
}

/** Value of `flip/<tree>/<group>`: the generation that everybody shows. */
export interface FlipRecord {
  readonly generation: string
  readonly number: number
  readonly atMs: number
  /** The node that found that all have it. */
  readonly by: string
  /** Nodes that were alive and did not have it in time: they show it as soon as they have it. */
  readonly without: readonly string[]
}

/** What one node says of one group: part of its report. */
export interface GroupReport {
  /** What is visible there. */
  readonly current?: string | undefined
  /** What lies there and is not visible yet, the oldest first. */
  readonly staged: readonly string[]
  /** The number of the last flip that it has seen; 0 for none. What it said before it saw a flip counts no more after it. */
  readonly asOf: number
}

export interface FlipNode extends GroupReport {
  readonly node: string
  readonly alive: boolean
}

export interface FlipScene {
  /** Every node that keeps this group and flips together with others. */
  readonly nodes: readonly FlipNode[]
  /** The last flip. */
  readonly flip: FlipRecord | undefined
  /** By generation: for how long the one who decides has known it to be staged somewhere. */
  readonly knownMs: ReadonlyMap<string, number>
  /** How long those that have a generation wait for those that do not. */
  readonly waitMs: number
}

export type FlipDecision =
  | { readonly flip: string; readonly without: readonly string[] }
  /** `inMs`: when to decide anew although nothing has changed; absent where only a change can help. */
  | { readonly wait: readonly string[]; readonly inMs?: number | undefined }

/**
 * Which generation everybody should show now. The newest that all live nodes have; otherwise the oldest that some have had for `waitMs`.
 * A node that is lost is not waited for; when it comes back it finds the flip and shows nothing else once it has it.
 */
export function decideFlip({ nodes, flip, knownMs, waitMs }: FlipScene): FlipDecision {
  const number = flip?.number ?? 0
  const live = nodes.filter(({ alive }) => alive).map((node) => upToDate(node, number))
  const candidates = candidatesOf(live, flip)
  const everywhere = candidates.filter((generation) => live.every((node) => has(node, generation)))
  const newest = everywhere.at(-1)
  if (newest !== undefined) return { flip: newest, without: [] }
  const lacking = (generation: string): readonly string[] =>
    live.filter((node) => !has(node, generation)).map(({ node }) => node)
  const overdue = candidates.find((generation) => (knownMs.get(generation) ?? 0) >= waitMs)
  if (overdue !== undefined) return { flip: overdue, without: lacking(overdue) }
  const [first] = candidates
  if (first === undefined) return { wait: [] }
  const longestMs = Math.max(...candidates.map((generation) => knownMs.get(generation) ?? 0))
  return { wait: lacking(first), inMs: waitMs - longestMs }
}

function upToDate(node: FlipNode, number: number): FlipNode {
  return node.asOf === number ? node : { ...node, current: undefined, staged: [] }
}

function has({ current, staged }: FlipNode, generation: string): boolean {
  return current === generation || staged.includes(generation)
}

/** What is staged anywhere, the oldest first as far as the nodes agree on that; never what is shown already. */
function candidatesOf(live: readonly FlipNode[], flip: FlipRecord | undefined): readonly string[] {
  const places = new Map<string, number>()
  for (const { staged } of live) {
    for (const [place, generation] of staged.entries()) {
      if (generation === flip?.generation) continue
      places.set(generation, Math.max(places.get(generation) ?? 0, place))
    }
  }
  return [...places].toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([generation]) => generation)
}

/** Staged generations of a group that a node keeps at most: what it has once reported, others may flip to at any moment. */
const STAGED_MAX = 2

/** What one node does with a generation that it has staged, and the list of those that it reports then. */
export function offered(
  { staged }: Pick<GroupReport, 'staged'>,
  generation: string,
  flip: FlipRecord | undefined,
): { readonly answer: ReturnType<FlipGate['offer']>; readonly staged: readonly string[] } {
  if (flip?.generation === generation) return { answer: 'flip', staged }
  if (staged.includes(generation)) return { answer: 'wait', staged }
  if (staged.length >= STAGED_MAX) return { answer: 'later', staged }
  return { answer: 'wait', staged: [...staged, generation] }
}

/**
 * What a node still has to keep once it has seen a flip. One that had no part in it has looked at the source too early: it offers
 * anew what it finds there next.
 */
export function stagedAfter(
  { current, staged }: Omit<GroupReport, 'asOf'>,
  { generation }: FlipRecord,
): readonly string[] {
  if (generation === current) return staged
  const place = staged.indexOf(generation)
  return place < 0 ? [] : staged.slice(place)
}
