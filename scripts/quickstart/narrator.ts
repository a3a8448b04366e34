const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)

/** Tells the story of the quickstart on the terminal, and remembers what did not hold. */
export class Narrator {
  readonly #startedMs = performance.now()
  readonly failures: string[] = []
  #step = 0

  step(title: string): void {
    this.#step += 1
    process.stdout.write(`\n${paint(1, `${this.#step}. ${title}`)}  ${paint(2, `${this.seconds()} s`)}\n`)
  }

  say(line: string): void {
    process.stdout.write(`   ${line}\n`)
  }

  command(args: readonly string[]): void {
    process.stdout.write(`   ${paint(36, `$ ./flotilla ${args.map(quote).join(' ')}`)}\n`)
  }

  output(text: string): void {
    for (const line of text.trimEnd().split('\n')) process.stdout.write(`   ${paint(2, '│')} ${line}\n`)
  }

  /** Prints whether a promise held; a failure makes the quickstart end with code 1. */
  expect(holds: boolean, what: string): void {
    process.stdout.write(`   ${holds ? paint(32, '✓') : paint(31, '✗ NOT')} ${what}\n`)
    if (!holds) this.failures.push(what)
  }

  seconds(): string {
    return ((performance.now() - this.#startedMs) / 1000).toFixed(1)
  }
}

function quote(argument: string): string {
  return /^[\w./:=@-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`
}
