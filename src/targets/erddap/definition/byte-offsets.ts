/** Turns ascending offsets in a text into offsets in its UTF-8 bytes. */
export class ByteOffsets {
  readonly #text: string
  readonly #utf8: Buffer
  #textAt = 0
  #byteAt = 0

  constructor(text: string, utf8: Buffer) {
    this.#text = text
    this.#utf8 = utf8
  }

  at(textAt: number): number {
    if (this.#text.length === this.#utf8.length) return textAt
    this.#byteAt += Buffer.byteLength(this.#text.slice(this.#textAt, textAt))
    this.#textAt = textAt
    return this.#byteAt
  }
}
