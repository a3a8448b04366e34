/** A line that differs, or one beside it. */
export interface DiffLine {
  readonly sign: '-' | '+' | ' '
  readonly text: string
}

/** A line as it is compared, and as it may be shown. */
export interface ShownLine {
  readonly raw: string
  readonly text: string
}

/** Of each side, without what both begin and end with. Two such texts are compared in about a second. */
const LINES_MAX = 4000

/**
 * The lines that differ, with one line before and after them. Lines are compared by `raw` and told by `text`, so what may not be shown
 * still counts. Undefined where too much differs to be found out in a moment.
 */
export function lineDiff(before: readonly ShownLine[], after: readonly ShownLine[]): readonly DiffLine[] | undefined {
  let start = 0
  while (start < before.length && start < after.length && before[start]?.raw === after[start]?.raw) start++
  let end = 0
  const least = Math.min(before.length, after.length) - start
  while (end < least && before.at(-1 - end)?.raw === after.at(-1 - end)?.raw) end++
  const [was, is] = [before.slice(start, before.length - end), after.slice(start, after.length - end)]
  if (Math.max(was.length, is.length) > LINES_MAX) return undefined
  const all = [
    ...before.slice(Math.max(0, start - 1), start).map(kept),
    ...edits(was, is),
    ...before.slice(before.length - end, before.length - end + 1).map(kept),
  ]
  const isNear = (index: number): boolean => [-1, 0, 1].some((step) => (all[index + step]?.sign ?? ' ') !== ' ')
  return all.filter((_, index) => isNear(index))
}

function kept({ text }: ShownLine): DiffLine {
  return { sign: ' ', text }
}

/** By the longest common subsequence. */
function edits(was: readonly ShownLine[], is: readonly ShownLine[]): readonly DiffLine[] {
  const width = is.length + 1
  const common = new Uint16Array((was.length + 1) * width)
  const at = (row: number, column: number): number => common[row * width + column] ?? 0
  for (let row = was.length - 1; row >= 0; row--) {
    for (let column = is.length - 1; column >= 0; column--) {
      const isSame = was[row]?.raw === is[column]?.raw
      common[row * width + column] = isSame
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1))
    }
  }
  const found: DiffLine[] = []
  let [row, column] = [0, 0]
  while (row < was.length || column < is.length) {
    const [old, now] = [was[row], is[column]]
    if (old !== undefined && now !== undefined && old.raw === now.raw) {
      found.push(kept(now))
      row++
      column++
    } else if (old !== undefined && (now === undefined || at(row + 1, column) >= at(row, column + 1))) {
      found.push({ sign: '-', text: old.text })
      row++
    } else {
      found.push({ sign: '+', text: now?.text ?? '' })
      column++
    }
  }
  return found
}
