/** First in, first out; taking one costs the same however many there are. */
export class Queue<T> {
  #items: T[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** The one that comes after `ahead` others. */
  peek(ahead = 0): T | undefined {
    return this.#items[this.#head + ahead]
  }

  /** Up to so many. */
  take(count: number): readonly T[] {
    const taken = this.#items.slice(this.#head, this.#head + count)
    this.#head += taken.length
    if (this.#head > 1000 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return taken
  }
}
