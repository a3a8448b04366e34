import { type At, templateError } from './model.ts'
import { type Document, HINT, type Level, quote, WHERE } from './shell-levels.ts'

/**
 * A shell script that is written bit by bit, and knows at each point in which quotes it stands, so that a value from elsewhere is
 * quoted as that place needs it: it never ends the quotes around it, and nothing in it is expanded. Where a value cannot be made
 * safe, or the place cannot be told, it is refused: never a guess.
 *
 * Follows the grammar of POSIX shells and bash: quotes, `$'…'`, `$(…)`, `${…}`, `$((…))`, `name[…]`, backticks, comments and here-documents.
 */
export class ShellText {
  readonly #levels: Level[] = [{ kind: 'plain', closes: false, parentheses: 0 }]
  readonly #documents: Document[] = []
  /** The beginning of something that the next character decides: `\`, `$`, `$(`, `(`, `<`, `<<`. */
  #pending = ''
  #isWordStart = true
  /** The character before in commands, and whether a `(` that is pending begins the list of `name=(…)`. */
  #last = ''
  #isList = false
  /** The letters of the word so far, in commands. */
  #word = ''
  /** Why the place is not known from here on. */
  #lost: string | undefined
  /** Of the value that is just being written. */
  #writing: At | undefined
  text = ''

  literal(text: string): void {
    this.text += text
    for (const char of text) this.#read(char)
  }

  /** Throws `TEMPLATE_FAILED` where the value cannot be quoted. */
  value(value: string, at: At): void {
    const refuse = (why: string): Error => templateError(at, why, HINT)
    if (value.includes('\0')) throw refuse('the value holds a NUL, which no shell can')
    if (this.#lost !== undefined) throw refuse(`in which quotes the value stands cannot be told: ${this.#lost}`)
    this.#settle()
    if (this.#pending !== '') throw refuse(`a value cannot stand right behind "${this.#pending}"`)
    const top = this.#top()
    const place = this.#place(top)
    const quoted = quote(value, place)
    if (quoted === undefined) throw refuse(`a value like this cannot stand ${WHERE[place.kind]}`)
    const depth = this.#levels.length
    if (top.kind === 'document') top.value ??= at
    this.#writing = at
    this.literal(quoted)
    this.#writing = undefined
    // Whatever was overlooked above: a value changes nothing of what follows it.
    if (this.#levels.length !== depth || this.#top().kind !== top.kind || this.#pending !== '' || this.#isLost)
      throw refuse(`the value would end what it stands in: ${WHERE[top.kind]}`)
  }

  get #isLost(): boolean {
    return this.#lost !== undefined
  }

  #top(): Level {
    const top = this.#levels.at(-1)
    if (top === undefined) throw new Error('the outermost level is never left')
    return top
  }

  /** What a value has to be fit for: quotes take nothing of what is calculated from it. */
  #place(top: Level): Level {
    const around = this.#levels.at(-2)
    const isQuote = top.kind === 'single' || top.kind === 'double'
    return isQuote && (around?.kind === 'arithmetic' || around?.kind === 'subscript') ? around : top
  }

  #enter(level: Level): void {
    this.#levels.push(level)
    this.#isWordStart = true
    this.#word = ''
  }

  #leave(): void {
    this.#levels.pop()
    this.#isWordStart = false
    this.#word = ''
  }

  /** What is pending and ends with any quote that comes next. */
  #settle(): void {
    const pending = this.#pending
    if (pending === '(' || pending === '<' || pending === '$(') {
      this.#pending = ''
      if (pending === '(') this.#openParenthesis()
      if (pending === '$(') this.#enter({ kind: 'plain', closes: true, parentheses: 0 })
    }
  }

  #openParenthesis(): void {
    const top = this.#top()
    if (this.#isList) this.#enter({ kind: 'plain', closes: true, isList: true, parentheses: 0 })
    else if (top.kind === 'plain') top.parentheses += 1
    this.#isWordStart = true
  }

  #read(char: string): void {
    if (this.#isLost) return
    if (this.#pending !== '' && this.#decide(char)) return
    const top = this.#top()
    if (char === '\n' && top.kind !== 'document' && this.#levels.some(({ kind }) => kind === 'document'))
      this.#lost = 'there is a command of several lines within a here-document before it'
    switch (top.kind) {
      case 'plain':
        return this.#readPlain(char, top)
      case 'comment':
        if (char !== '\n') return
        this.#leave()
        return this.#read(char)
      case 'single':
        return char === "'" ? this.#leave() : undefined
      case 'delimiter':
        return this.#readDelimiter(char, top)
      case 'document':
        return this.#readDocument(char, top)
      case 'arithmetic':
        return this.#readArithmetic(char, top)
      case 'subscript':
        return this.#readSubscript(char, top)
      case 'double':
      case 'ansi':
      case 'backtick':
      case 'brace':
        return this.#readQuoted(char, top)
    }
  }

  /** Whether the character belonged to what was pending; if not, it is read as any other. */
  #decide(char: string): boolean {
    const pending = this.#pending
    this.#pending = ''
    if (pending === '\\') {
      // A line that goes on is as if it had never ended.
      if (char !== '\n') this.#isWordStart = false
      const top = this.#top()
      if (top.kind === 'document' && char !== '\n') top.line += char
      return true
    }
    if (pending === '$') return this.#expansion(char)
    if (pending === '$(') {
      if (char === '(') this.#enter({ kind: 'arithmetic', parentheses: 2 })
      else this.#enter({ kind: 'plain', closes: true, parentheses: 0 })
      return char === '('
    }
    if (pending === '(') {
      if (char === '(') this.#enter({ kind: 'arithmetic', parentheses: 2 })
      else this.#openParenthesis()
      return char === '('
    }
    if (pending === '<') {
      this.#pending = char === '<' ? '<<' : ''
      return char === '<'
    }
    if (char === '<') return true
    const top = this.#top()
    // Bash sees a fault there, and goes on with the next line.
    if (top.kind === 'plain' && top.isList === true) this.#lost = 'there is a here-document within a list before it'
    this.#enter({ kind: 'delimiter', strips: char === '-', word: '', isQuoted: false, quote: '' })
    return char === '-'
  }

  #expansion(char: string): boolean {
    const { kind } = this.#top()
    const isQuoting = kind === 'plain' || kind === 'subscript' || (kind === 'brace' && !this.#isInDouble())
    if (char === '(') this.#pending = '$('
    else if (char === '{') this.#enter({ kind: 'brace', isInDouble: this.#isInDouble() })
    else if (char === '[') this.#lost = 'it comes after "$[", which is old: write $((…))'
    else if (char === "'" && isQuoting) this.#enter({ kind: 'ansi' })
    else if (char === '$' || char === '#') this.#isWordStart = false
    else return false
    return true
  }

  /** Whether a `'` is an ordinary character, because of double quotes around. */
  #isInDouble(): boolean {
    const top = this.#top()
    return top.kind === 'double' || top.kind === 'document' || (top.kind === 'brace' && top.isInDouble)
  }

  #readPlain(char: string, top: Extract<Level, { kind: 'plain' }>): void {
    const isStart = this.#isWordStart
    const isSubscript = char === '[' && ((isStart && top.isList === true) || /[\w\\]/.test(this.#last))
    this.#isList = char === '(' && this.#last === '='
    this.#last = char
    if (!/[a-z]/.test(char)) {
      // The ")" behind a pattern would be taken for the end.
      if (this.#word === 'case' && top.closes) this.#lost = 'there is a "case" within "$(…)" before it'
      this.#word = ''
    } else if (isStart || this.#word !== '') this.#word += char
    if (char !== '\\') this.#isWordStart = /[ \t\n;&|()<>]/.test(char)
    if (ODD_SPACE.test(char)) this.#lost = 'there is white space before it that is none to every shell, such as CR'
    if (char === "'") this.#enter({ kind: 'single' })
    else if (char === '"') this.#enter({ kind: 'double' })
    else if (char === '`') this.#enter({ kind: 'backtick' })
    else if (char === '#' && isStart) this.#enter({ kind: 'comment' })
    else if (isSubscript) this.#enter({ kind: 'subscript', brackets: 1 })
    else if ('\\$<('.includes(char)) this.#pending = char
    else if (char === '\n') this.#newLine()
    else if (char === ')' && top.parentheses > 0) top.parentheses -= 1
    else if (char === ')' && top.closes) this.#leave()
  }

  #newLine(): void {
    const of = this.#documents.shift()
    if (of !== undefined) this.#enter({ kind: 'document', of, line: '', value: undefined })
  }

  #readDelimiter(char: string, top: Extract<Level, { kind: 'delimiter' }>): void {
    if (top.quote === '\\') {
      top.word += char
      top.quote = ''
    } else if (top.quote !== '') {
      if (char === top.quote) top.quote = ''
      else top.word += char
    } else if (char === "'" || char === '"' || char === '\\') {
      top.quote = char
      top.isQuoted = true
    } else if ('$`\r'.includes(char)) this.#lost = 'there is a here-document before it whose end is not plain'
    else if (!/[ \t\n;&|<>()]/.test(char)) top.word += char
    else if (top.word !== '' || top.isQuoted || char === '\n') {
      this.#documents.push({ delimiter: top.word, isQuoted: top.isQuoted, strips: top.strips })
      this.#leave()
      this.#read(char)
    }
  }

  #readDocument(char: string, top: Extract<Level, { kind: 'document' }>): void {
    if (char !== '\n') {
      top.line += char
      if (top.of.isQuoted) return
      if (char === '`') this.#enter({ kind: 'backtick' })
      else if (char === '\\' || char === '$') this.#pending = char
      return
    }
    const line = top.of.strips ? top.line.replace(/^\t+/, '') : top.line
    if (line !== top.of.delimiter) {
      top.line = ''
      top.value = undefined
      return
    }
    const value = top.value ?? this.#writing
    if (value !== undefined) throw templateError(value, 'the value would end the here-document it stands in')
    this.#leave()
    this.#isWordStart = true
    this.#newLine()
  }

  #readArithmetic(char: string, top: Extract<Level, { kind: 'arithmetic' }>): void {
    if (char === '(') top.parentheses += 1
    else if (char === ')') top.parentheses -= 1
    else if (char === '$') this.#pending = char
    else if (char === '"') this.#enter({ kind: 'double' })
    else if (char === "'" || char === '`' || char === '\\') this.#lost = 'there are quotes within "((…))" before it'
    if (top.parentheses === 0) this.#leave()
  }

  #readSubscript(char: string, top: Extract<Level, { kind: 'subscript' }>): void {
    if (char === '[') top.brackets += 1
    else if (char === ']') top.brackets -= 1
    else if (char === '"') this.#enter({ kind: 'double' })
    else if (char === "'") this.#enter({ kind: 'single' })
    else if (char === '`') this.#enter({ kind: 'backtick' })
    else if (char === '$' || char === '\\') this.#pending = char
    else if (/[\n#;&|<>()]/.test(char)) this.#lost = 'there is a "[" before it that begins no plain subscript'
    if (top.brackets === 0) this.#leave()
  }

  #readQuoted(char: string, { kind }: Level): void {
    if (char === '\\') this.#pending = char
    else if (char === END[kind]) this.#leave()
    else if (kind === 'backtick' || kind === 'ansi') return
    else if (char === '$') this.#pending = char
    else if (char === '`') this.#enter({ kind: 'backtick' })
    else if (kind !== 'brace') return
    else if (char === '"') this.#enter({ kind: 'double' })
    else if (char === "'" && this.#isInDouble()) this.#lost = 'there is a "\'" within "${…}" before it'
    else if (char === "'") this.#enter({ kind: 'single' })
  }
}

const END: Readonly<Partial<Record<Level['kind'], string>>> = { double: '"', ansi: "'", backtick: '`', brace: '}' }

/** Anything but a space, a tab and the end of a line. */
const ODD_SPACE = /[^\S \t\n]/
