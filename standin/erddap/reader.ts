import { decodeEntities } from './entities.ts'

/** A fault that ends the reading of the whole file: ERDDAP closes its reader and looks at nothing after it. */
export class ReaderError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(`ERROR in XML file on line #${line}: ${message}`)
    this.line = line
  }
}

/**
 * ERDDAP's own XML reader (SimpleXMLReader), reproduced: a sequence of start and end tags, tolerant where a parser is
 * strict and strict where a parser is tolerant. After `next()`, `path` is the stack of tags, such as
 * `<erddapDatasets><dataset>` or, at its end, `<erddapDatasets></dataset>`.
 */
export class Reader {
  readonly #text: string
  #at: number
  #line: number
  readonly #stack: string[] = []
  readonly #attributes = new Map<string, string>()
  #path = ''
  #content = ''
  #ownEnd = false
  #tags = 0
  #open = true
  #tagStart = 0

  /** Reads the declaration and the root tag. Throws `ReaderError` when they are not as ERDDAP wants them. */
  constructor(bytes: Buffer, options: { readonly envParsing: boolean; readonly root: string }) {
    const end = bytes.indexOf('>')
    const first = bytes.subarray(0, end < 0 ? bytes.length : end + 1).toString('latin1')
    this.#line = 1 + newlines(first, 0, first.length)
    if (end < 0) this.#fail(`Unexpected end of file while looking for end of first tag="${first}".`)
    if (!first.startsWith('<?xml ') || first.at(-2) !== '?') {
      this.#fail(`The first XML tag="${first}" should have started with "<?xml " and ended with "?>".`)
    }
    // Only double quotes count; with anything else the file is taken as UTF-8.
    const encoding = /encoding="([^"]*)"/.exec(first)?.[1] ?? ''
    const rest = bytes.subarray(end + 1)
    const text = this.#decode(options.envParsing ? Buffer.from(rest.toString('utf8')) : rest, encoding)
    this.#text = text.replaceAll('\r', '')
    this.#at = 0
    this.next()
    if (this.#path !== `<${options.root}>`) {
      this.#fail(`First tag=${this.#path} should have been <${options.root}>.`)
    }
  }

  get path(): string {
    return this.#path
  }

  get depth(): number {
    return this.#stack.length
  }

  /** The innermost tag; an end tag starts with `/`. */
  get tag(): string {
    return this.#stack.at(-1) ?? ''
  }

  /** The text before the current tag, trimmed and decoded. */
  get content(): string {
    return this.#content
  }

  get line(): number {
    return this.#line
  }

  /** False after a `ReaderError`. */
  get isOpen(): boolean {
    return this.#open
  }

  attribute(name: string): string | undefined {
    return this.#attributes.get(name)
  }

  /** Where the current tag starts, for `source`. */
  get tagStart(): number {
    return this.#tagStart
  }

  /** The file's text from `start` to the end of the current tag. */
  source(start: number): string {
    return this.#text.slice(start, this.#at)
  }

  /** Goes to the next tag and answers it. */
  next(): string {
    if (!this.#open) throw new ReaderError(this.#line, 'the reader is closed')
    this.#tags += 1
    this.#attributes.clear()
    if (this.#ownEnd) {
      this.#ownEnd = false
      const tag = this.#pop()
      return this.#push(`/${tag}`)
    }
    if (this.tag.startsWith('/')) this.#pop()
    const { raw, content } = this.#scan()
    if (this.#tags === 1 && raw.startsWith('?xml')) {
      this.#tags = 0
      return this.next()
    }
    const tag = this.#take(trim(raw))
    this.#content = decodeEntities(trim(content))
    return tag
  }

  /** ERDDAP's answer to a tag it does not know. */
  unexpectedTag(): never {
    return this.#fail(`Unexpected tag=${this.#path} content="${this.#content}".`)
  }

  /** The next tag without its brackets, and the text before it; comments are dropped, CDATA joins the text. */
  #scan(): { raw: string; content: string } {
    let content = ''
    for (;;) {
      const start = this.#text.indexOf('<', this.#at)
      if (start < 0) this.#endOfFile('')
      content += this.#text.slice(this.#at, start)
      let end = this.#text.indexOf('>', start)
      // The lengths are ERDDAP's: it decides at the first ">" whether a comment or CDATA section has begun.
      const comment = this.#text.startsWith('<!--', start) && end - start > 5
      const cdata = this.#text.startsWith('<![CDATA[', start) && end - start > 10
      if (comment) end = closing(this.#text, '-->', start + 4)
      if (cdata) end = closing(this.#text, ']]>', start + 9)
      if (end < 0) this.#endOfFile(this.#text.slice(start + 1))
      this.#line += newlines(this.#text, this.#at, end)
      this.#at = end + 1
      this.#tagStart = start
      // ERDDAP encodes the & of a CDATA section here because it decodes the whole content later.
      if (cdata) content += this.#text.slice(start + 9, end - 2).replaceAll('&', '&amp;')
      if (!comment && !cdata && end > start + 1) return { raw: this.#text.slice(start + 1, end), content }
    }
  }

  #take(raw: string): string {
    if (raw === '') this.#fail(`Empty tag when stack = ${this.#path}`)
    this.#ownEnd = raw.endsWith('/')
    const tag = this.#ownEnd ? raw.slice(0, -1) : raw
    let nameEnd = 0
    while (nameEnd < tag.length && !isSpace(tag.charCodeAt(nameEnd))) nameEnd += 1
    const name = tag.slice(0, nameEnd)
    this.#readAttributes(tag, nameEnd)
    if (!this.#ownEnd && name.startsWith('/')) {
      if (this.depth === 0) this.#fail(`End tag <${tag}> is the only tag on the stack.`)
      if (this.tag !== name.slice(1)) {
        this.#fail(`End tag <${tag}> doesn't have a matching start tag.\n  stack = ${this.#path}`)
      }
      this.#pop()
    }
    return this.#push(name)
  }

  #readAttributes(tag: string, from: number): void {
    let at = skipSpace(tag, from)
    while (at < tag.length) {
      const equals = tag.indexOf('=', at)
      if (equals <= at) this.#fail(`An attribute name in tag <${tag}> wasn't followed by ="value".`)
      const name = tag.slice(at, equals)
      at = equals + 1
      if (at === tag.length) return
      const quote = tag[at] ?? ''
      let value: string
      if (quote === '"' || quote === "'") {
        const end = tag.indexOf(quote, at + 1)
        if (end < 0) this.#fail(`A quoted attribute value in tag <${tag}> has no end quotes.`)
        value = tag.slice(at + 1, end)
        at = end + 1
      } else {
        const end = tag.indexOf(' ', at + 1)
        value = tag.slice(at, end < 0 ? tag.length : end)
        at = end < 0 ? tag.length : end
      }
      if (!this.#attributes.has(name)) this.#attributes.set(name, decodeEntities(value))
      at = skipSpace(tag, at)
    }
  }

  #decode(bytes: Buffer, encoding: string): string {
    const label = encoding.toLowerCase()
    if (/\s/.test(label)) this.#fail(`java.nio.charset.IllegalCharsetNameException: ${encoding}`)
    if (label === '' || label === 'utf-8' || label === 'utf8') return bytes.toString('utf8')
    if (label === 'iso-8859-1' || label === 'latin1') return bytes.toString('latin1')
    try {
      return new TextDecoder(label).decode(bytes)
    } catch {
      return this.#fail(`java.io.UnsupportedEncodingException: ${encoding}`)
    }
  }

  #push(tag: string): string {
    this.#stack.push(tag)
    this.#path += `<${tag}>`
    return tag
  }

  #pop(): string {
    const tag = this.#stack.pop() ?? ''
    this.#path = this.#path.slice(0, this.#path.length - tag.length - 2)
    return tag
  }

  #endOfFile(pending: string): never {
    this.#line += newlines(this.#text, this.#at, this.#text.length)
    this.#at = this.#text.length
    if (pending.startsWith('!--')) this.#fail(`Unclosed comment: ${pending}\n  stack = ${this.#path}`)
    return this.#fail(`Unexpected end of file with non-empty stack: ${this.#path}\n  tag = ${pending}`)
  }

  #fail(message: string): never {
    this.#open = false
    throw new ReaderError(this.#line, message)
  }
}

/** Position of the last character of the first `mark` from `from` on; -1 when there is none. */
function closing(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from)
  return at < 0 ? -1 : at + mark.length - 1
}

function newlines(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

/** Java's String2.isWhite. */
function isSpace(code: number): boolean {
  return (code >= 1 && code <= 0x20) || code === 0xa0
}

function trim(text: string): string {
  let end = text.length
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end -= 1
  return text.slice(Math.min(skipSpace(text, 0), end), end)
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && isSpace(text.charCodeAt(at))) at += 1
  return at
}
