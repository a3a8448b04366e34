/**
 * Header fields of HTTP/2, as far as one needs who told the other side to keep no table of them: every field comes with its
 * text, or is one of the list that everybody knows. facts: RFC 7541.
 */

/** By index in that list: of what is there, only this is of use here. facts: RFC 7541, appendix A. */
const STATUS_FIRST = 8
const STATUS = ['200', '204', '206', '304', '400', '404', '500']
const KNOWN_MAX = 61

/** How many bits each character's code has, by character; the last is the end. The codes follow from it. facts: appendix B. */
const BITS = [
  '13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28',
  '6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10',
  '13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6',
  '15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28',
  '20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24',
  '22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23',
  '26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27',
  '20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30',
].flatMap((line) => line.split(' ').map(Number))
const BITS_MAX = 30
const CHARACTERS = charactersByCode()

/** What is sent: each field with its text, to be kept in no table. */
export function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const pieces: Buffer[] = []
  for (const [name, value] of Object.entries(fields)) pieces.push(Buffer.from([0]), ...textOf(name), ...textOf(value))
  return Buffer.concat(pieces)
}

function textOf(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const length: number[] = []
  let rest = bytes.length
  if (rest >= 0x7f) {
    length.push(0x7f)
    for (rest -= 0x7f; rest >= 0x80; rest >>= 7) length.push((rest & 0x7f) | 0x80)
  }
  length.push(rest)
  return [Buffer.from(length), bytes]
}

/** What came, without those that are of no use here. Throws `RangeError` for what is malformed or asks for the table. */
export function readHeaders(block: Buffer): ReadonlyMap<string, string> {
  const reader = new Reader(block)
  const fields = new Map<string, string>()
  while (!reader.isAtEnd) {
    const first = reader.peek()
    if (first >= 0x80) {
      const index = known(reader.number(7))
      const status = STATUS[index - STATUS_FIRST]
      if (status !== undefined) fields.set(':status', status)
    } else if (first >= 0x20 && first < 0x40) {
      // A change of the table's size, and there is none.
      reader.number(5)
    } else {
      const index = reader.number(first >= 0x40 ? 6 : 4)
      const name = index === 0 ? reader.text() : STATUS[known(index) - STATUS_FIRST] === undefined ? '' : ':status'
      fields.set(name, reader.text())
    }
  }
  return fields
}

function known(index: number): number {
  if (index === 0 || index > KNOWN_MAX) throw new RangeError('a header refers to a table that there is not')
  return index
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  peek(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new RangeError('headers end in the middle of a field')
    return byte
  }

  /** A number whose beginning is in the last `bits` of a byte. */
  number(bits: number): number {
    const most = 2 ** bits - 1
    let value = this.#next() & most
    if (value < most) return value
    for (let scale = 1; scale <= 2 ** 21; scale *= 0x80) {
      const byte = this.#next()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw new RangeError('a header has a number beyond all measure')
  }

  text(): string {
    const isCoded = this.peek() >= 0x80
    const length = this.number(7)
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('headers end in the middle of a text')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return isCoded ? decoded(bytes) : bytes.toString('latin1')
  }

  #next(): number {
    const byte = this.peek()
    this.#at++
    return byte
  }
}

/** Huffman's code. What is left over at the end is the beginning of the code of the end. */
function decoded(bytes: Buffer): string {
  let text = ''
  let code = 1
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1)
      const character = CHARACTERS.get(code)
      if (character !== undefined) {
        text += String.fromCharCode(character)
        code = 1
      } else if (code >= 2 ** (BITS_MAX + 1)) throw new RangeError('a header has a text that is no text')
    }
  }
  return text
}

/** Each code with a 1 before it, so that its length is in it. Codes are given in order of length, then of character. */
function charactersByCode(): ReadonlyMap<number, number> {
  const characters = new Map<number, number>()
  let code = 0
  for (let length = 1; length <= BITS_MAX; length++) {
    code *= 2
    for (const [character, bits] of BITS.entries()) {
      if (bits !== length) continue
      if (character < 256) characters.set(2 ** length + code, character)
      code++
    }
  }
  return characters
}
