/**
 * A barrier opens when enough have arrived, and is then closed again for the next generation: so it can be used any number
 * of times, and who is late for one generation is never counted in another.
 */

/** More than that would make each arrival look at more than a commit may hold. */
export const PARTIES_MAX = 500

/** Value of `barrier/<name>`. */
export interface BarrierRecord {
  /** The one that those who come now arrive in; all before it have passed. */
  readonly generation: number
  /** How many it takes. */
  readonly parties: number
}

/** Value of `barrier/<name>/<generation>/<who>`. */
export interface ArrivalRecord {
  readonly by: string
  readonly label: string
  readonly session: string
  readonly atMs: number
}

export const FIRST_GENERATION = 1

export function hasPassed(record: BarrierRecord | undefined, generation: number): boolean {
  return (record?.generation ?? FIRST_GENERATION) > generation
}

/** Whether as many are there as it takes: whoever sees it lets them pass, which is the record that follows. */
export function passing(record: BarrierRecord, arrived: number): BarrierRecord | undefined {
  return arrived >= record.parties ? { ...record, generation: record.generation + 1 } : undefined
}

/** Who of those expected has not come, in the order in which they were named. */
export function missingOf(expected: readonly string[], arrived: Iterable<string>): readonly string[] {
  const there = new Set(arrived)
  return [...new Set(expected)].filter((who) => !there.has(who))
}
