const LONGEST_MS = 7_200_000

/** How long a test may take: at its large size, on a machine that does much else, as long as it takes. */
export function longest(ms: number): number {
  return process.env['FLOTILLA_SOAK'] === '1' ? LONGEST_MS : ms
}
