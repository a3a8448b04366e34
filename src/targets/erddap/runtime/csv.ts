/** More columns than any table has that is asked for. */
const CELLS_MAX = 100

/**
 * Rows of a table that ERDDAP sends as .csv or .csv0, one by one: all at once can take forty times their bytes. A quoted
 * cell is a JSON string whose \" are written as "": line breaks and everything beyond ASCII come as escapes, so a line is
 * always a row. (ERDDAP's TableWriterSeparatedValue, with twoQuotes.)
 */
export function* parseCsv(text: string): Generator<readonly string[], void> {
  for (let from = 0; from < text.length;) {
    const lf = text.indexOf('\n', from)
    const to = lf === -1 ? text.length : lf
    const line = text.slice(from, to)
    if (line.trim() !== '') yield parseRow(line)
    from = to + 1
  }
}

// Unrolled: with a choice at every character a cell of megabytes would overflow the stack.
const CELL = /(?:"([^"]*(?:""[^"]*)*)"|([^,"\r]*))(,|\r?$)/y

function parseRow(line: string): readonly string[] {
  const cells: string[] = []
  CELL.lastIndex = 0
  for (;;) {
    const match = CELL.exec(line)
    // A row that is not of this form says nothing that could be trusted.
    if (match === null || cells.length === CELLS_MAX) return []
    cells.push(match[1] === undefined ? (match[2] ?? '') : unescape(match[1]))
    if (match[3] !== ',') return cells
  }
}

const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', b: '\b' }

function unescape(quoted: string): string {
  return quoted.replaceAll('""', '"').replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, hex: string | undefined, char) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    return ESCAPED[char as string] ?? (char as string)
  })
}
