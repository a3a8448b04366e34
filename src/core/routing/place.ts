import { FlotillaError } from '../errors.ts'
import { hash32, mix32 } from './hash.ts'
import type { Backend, Placement, PlacementOptions } from './model.ts'

type Place = Pick<Backend, 'node' | 'weight'>

/**
 * Gives each key its owners: weighted rendezvous with bounded load. The answer depends on the sets of keys and nodes alone.
 * A key moves only when its owner leaves or a better one comes, or where the bound made it, or makes it now, yield.
 */
export function place(
  keys: Iterable<string>,
  backends: readonly Place[],
  { bound, depth, hot }: PlacementOptions,
): Placement {
  if (!(bound >= 1)) throw new FlotillaError('CONFIG_INVALID', `a bound of ${bound}; it is 1 or more`)
  const ring = new Ring(backends)
  const sorted = [...new Set(keys)].toSorted()
  const placement = new Map<string, readonly string[]>()
  if (ring.size === 0) return placement
  const room = ring.rooms(bound * sorted.length)
  const owners = new Map<string, readonly string[]>()
  for (const { key, hash } of byHash(sorted)) {
    const sharers = Math.min(hot.get(key) ?? 1, ring.size)
    owners.set(key, ring.take(hash, { sharers, depth: Math.max(depth, sharers), room }))
  }
  // In the order of the keys: equal placements are then equal text.
  for (const key of sorted) placement.set(key, owners.get(key) ?? [])
  return placement
}

/** Every node, best first, as `place` ranks them for that key when nothing is bounded. */
export function ranked(key: string, backends: readonly Place[]): readonly string[] {
  return ranking(backends, backends.length)(key)
}

/** The same for many keys: the first `depth` nodes. */
export function ranking(backends: readonly Place[], depth: number): (key: string) => readonly string[] {
  const ring = new Ring(backends)
  const room = ring.rooms(Number.POSITIVE_INFINITY)
  return (key) => ring.take(hash32(key), { sharers: 1, depth, room })
}

/** Who comes first gets the room that is left: by hash that is nobody in particular, and the same each time. */
function byHash(keys: readonly string[]): readonly { readonly key: string; readonly hash: number }[] {
  const hashed = keys.map((key) => ({ key, hash: hash32(key) }))
  return hashed.toSorted((a, b) => a.hash - b.hash || (a.key < b.key ? -1 : 1))
}

interface Taking {
  /** How many owners share the key's requests: each counts a part of it. */
  readonly sharers: number
  readonly depth: number
  /** By node: how many keys it may still own. */
  readonly room: Float64Array
}

const RANGE = 2 ** 32
/** Sums of thirds and quarters are not exact. */
const HAIR = 1e-6

class Ring {
  readonly #nodes: readonly Place[]
  readonly #seeds: Uint32Array
  readonly #weights: Float64Array
  readonly #isEven: boolean
  readonly #scores: Float64Array

  constructor(backends: readonly Place[]) {
    this.#nodes = backends.toSorted((a, b) => (a.node < b.node ? -1 : 1))
    this.#seeds = Uint32Array.from(this.#nodes, ({ node }) => hash32(node))
    this.#weights = Float64Array.from(this.#nodes, ({ weight }) => weight)
    this.#isEven = this.#weights.every((weight) => weight === this.#weights[0])
    this.#scores = new Float64Array(this.#nodes.length)
  }

  get size(): number {
    return this.#nodes.length
  }

  /** Shares `total` out by weight, each rounded up. */
  rooms(total: number): Float64Array {
    const sum = this.#weights.reduce((all, weight) => all + weight, 0)
    return this.#weights.map((weight) => Math.ceil((total * weight) / sum - HAIR))
  }

  /**
   * The first `sharers` have room and count the key; behind them come the next best, with room or not. Where halves of hot keys
   * leave nobody room for a whole one, who has the most gets it.
   */
  take(hash: number, { sharers, depth, room }: Taking): readonly string[] {
    const best = this.#best(hash, Math.min(depth, this.size))
    const owners: number[] = []
    const part = 1 / sharers
    for (let index = 0; index < sharers; index++) {
      const hasRoom = (node: number): boolean => !owners.includes(node) && (room[node] ?? 0) + HAIR >= part
      const owner = best.find(hasRoom) ?? this.#bestOf(hasRoom) ?? roomiest(owners, room)
      if (owner === undefined) break
      room[owner] = (room[owner] ?? 0) - part
      owners.push(owner)
    }
    for (const index of best) if (owners.length < depth && !owners.includes(index)) owners.push(index)
    return owners.map((index) => this.#nodes[index]?.node ?? '')
  }

  /** Best first, so many. */
  #best(hash: number, count: number): readonly number[] {
    const best: number[] = []
    const scores = this.#scores
    for (let index = 0; index < scores.length; index++) {
      const score = this.#score(hash, index)
      scores[index] = score
      if (best.length === count && score >= (scores[best[count - 1] ?? 0] ?? 0)) continue
      let at = Math.min(best.length, count - 1)
      for (; at > 0 && score < (scores[best[at - 1] ?? 0] ?? 0); at--) best[at] = best[at - 1] ?? 0
      best[at] = index
    }
    return best
  }

  /** An exponential race: who has the lowest score wins as often as its weight says. */
  #score(hash: number, index: number): number {
    const uniform = mix32(hash ^ (this.#seeds[index] ?? 0))
    return this.#isEven ? -uniform : -Math.log((uniform + 0.5) / RANGE) / (this.#weights[index] ?? 1)
  }

  /** By the scores of the key that was looked at last. */
  #bestOf(isGood: (node: number) => boolean): number | undefined {
    let best: number | undefined
    for (const [index, score] of this.#scores.entries()) {
      if ((best === undefined || score < (this.#scores[best] ?? 0)) && isGood(index)) best = index
    }
    return best
  }
}

function roomiest(without: readonly number[], room: Float64Array): number | undefined {
  let found: number | undefined
  for (const [index, left] of room.entries()) {
    if (!without.includes(index) && (found === undefined || left > (room[found] ?? 0))) found = index
  }
  return found
}
