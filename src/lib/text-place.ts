export interface Place {
  readonly line: number
  readonly column: number
}

/** Line and column, both from 1, of an offset in `text`. Lines end with LF, as ERDDAP counts them; a column is a character. */
export function placeAt(text: string, offset: number): Place {
  const at = Math.max(0, Math.min(offset, text.length))
  return { line: countLines(text, 0, at) + 1, column: columnAt(text, at) }
}

export function columnAt(text: string, offset: number): number {
  return columnIn(text, offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1, offset)
}

/** The column of `offset` in the line that begins at `start`. */
export function columnIn(text: string, start: number, offset: number): number {
  // Nobody counts characters in a line that long, and counting them for every finding would take for ever.
  return offset - start > LINE_LENGTH_MAX ? offset - start + 1 : charactersIn(text.slice(start, offset)) + 1
}

/** A character above U+FFFF counts once. */
export function charactersIn(text: string): number {
  return text.length - (text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g)?.length ?? 0)
}

const LINE_LENGTH_MAX = 10_000

/** How many LF stand in `text` from `from` up to `to`. */
export function countLines(text: string, from: number, to: number): number {
  // A part of its own: a search in the whole text would go on to its end where no LF follows, once for every call.
  const part = text.slice(from, to)
  let lines = 0
  for (let at = part.indexOf('\n'); at !== -1; at = part.indexOf('\n', at + 1)) lines++
  return lines
}
