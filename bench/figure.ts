/** One number that is measured, ours and the peer's in turn. */
export interface Figure {
  readonly name: string
  /** `ms`, `/s`, `MB`. */
  readonly unit: string
  /** One value a run. */
  readonly ours: readonly number[]
  readonly peer?: { readonly name: string; readonly values: readonly number[] }
  /** What it should be at most, or at least. */
  readonly target?: { readonly max: number } | { readonly min: number }
}

/** A file of this folder exports one as `bench`; its file name is how it is asked for. */
export interface Bench {
  /** What is measured and how, in a sentence. */
  readonly about: string
  /** `say` shows progress. Cleans up after itself. */
  run(say: (line: string) => void): Promise<readonly Figure[]>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low, high] = [sorted[middle - 1] ?? NaN, sorted[middle] ?? NaN]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

export function meets({ ours, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined
  const value = median(ours)
  return 'max' in target ? value <= target.max : value >= target.min
}

/** Runs ours and the peer's in turn, so that what else the machine does falls on both. */
export async function inTurn(
  runs: number,
  ours: () => Promise<number>,
  peer: () => Promise<number>,
): Promise<{ readonly ours: readonly number[]; readonly peer: readonly number[] }> {
  const values = { ours: [] as number[], peer: [] as number[] }
  for (let run = 0; run < runs; run++) {
    values.ours.push(await ours())
    values.peer.push(await peer())
  }
  return values
}

/** Runs any number of ways in turn, each so often; answers the values of each. */
export async function allInTurn<Name extends string>(
  runs: number,
  ways: Readonly<Record<Name, (run: number) => Promise<number>>>,
): Promise<Readonly<Record<Name, readonly number[]>>> {
  const names = Object.keys(ways) as Name[]
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let run = 0; run < runs; run++) {
    for (const name of names) values[name].push(await ways[name](run))
  }
  return values
}

/** How many times the peer's, run by run. */
export function timesOf(
  name: string,
  ours: readonly number[],
  peer: readonly number[],
  target?: Figure['target'],
): Figure {
  const values = ours.map((one, run) => one / (peer[run] ?? NaN))
  return { name, unit: '×', ours: values, ...(target !== undefined && { target }) }
}
