import { clean } from '../lib/clean.ts'

/** Where text goes: a terminal, a pipe, or a test's memory. */
export interface Sink {
  write(text: string | Uint8Array): void
  /** Set only for a terminal. */
  readonly columns?: number | undefined
  /** True once the reader has gone; writing is then pointless, not an error. */
  readonly closed?: boolean
}

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold'

const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 }

/** What a command says: results on `out`, everything about the run itself on `err`. */
export class Output {
  readonly out: Sink
  readonly err: Sink
  #colours: boolean
  #progress = false

  constructor(out: Sink, err: Sink, env: Readonly<Record<string, string | undefined>>) {
    this.out = out
    this.err = err
    this.#colours = out.columns !== undefined && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  }

  get isTerminal(): boolean {
    return this.out.columns !== undefined
  }

  print(text = ''): void {
    this.#clearProgress()
    this.out.write(`${text}\n`)
  }

  /** Said to the person, not part of the result. */
  note(text: string): void {
    this.#clearProgress()
    this.err.write(`${text}\n`)
  }

  /** The one object of `--json`; its `kind` tells what it is. */
  json(kind: string, value: object): void {
    this.#clearProgress()
    this.out.write(`${JSON.stringify({ ...value, kind })}\n`)
  }

  /** A line that the next one replaces; nothing in a pipe. */
  progress(text: string): void {
    if (this.err.columns === undefined) return
    this.#progress = true
    this.err.write(`\r\u001b[K${clean(text).slice(0, this.err.columns - 1)}`)
  }

  paint(colour: Colour, text: string): string {
    return this.#colours ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text
  }

  /** The same output, with its results going somewhere else. */
  into(write: (text: string) => void): Output {
    const { columns } = this.out
    const sink = { write: (text: string | Uint8Array) => write(String(text)), columns }
    const output = new Output(sink, this.err, {})
    output.#colours = this.#colours
    return output
  }

  #clearProgress(): void {
    if (!this.#progress) return
    this.#progress = false
    this.err.write('\r\u001b[K')
  }
}

export type Cell = string | { readonly text: string; readonly colour: Colour }

/** Columns as wide as their widest cell, two spaces between; the head is left out when there are no rows. */
export function table(output: Output, head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  if (rows.length === 0) return
  const texts = rows.map((row) => row.map((cell) => oneLine(typeof cell === 'string' ? cell : cell.text)))
  const widths = head.map((title, column) => Math.max(title.length, ...texts.map((row) => width(row[column] ?? ''))))
  const line = (cells: readonly string[], paint: (text: string, column: number) => string): string =>
    cells
      .map((text, column) => {
        const last = column === cells.length - 1
        return paint(text, column) + (last ? '' : ' '.repeat((widths[column] ?? 0) - width(text) + 2))
      })
      .join('')
      .trimEnd()
  output.print(line(head, (text) => output.paint('dim', text)))
  for (const [index, row] of rows.entries()) {
    const paint = (text: string, column: number): string => {
      const cell = row[column]
      return typeof cell === 'object' ? output.paint(cell.colour, text) : text
    }
    output.print(line(texts[index] ?? [], paint))
  }
}

/** In columns of a terminal, near enough: by character, not by UTF-16 unit. */
function width(text: string): number {
  return Array.from(text).length
}

function oneLine(text: string): string {
  return clean(text.replaceAll(/\s+/g, ' ').trim())
}
