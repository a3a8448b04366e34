import { randomInt } from 'node:crypto'

/** Ids of objects as Java's UID makes them: equal on no two nodes, counted up within one. */
export class Ids {
  readonly #node: string
  #count = -0x8000

  constructor(startedAtMs: number) {
    const node = randomInt(0x7fffffff)
    this.#node = `${node.toString(16)}:${startedAtMs.toString(16)}`
  }

  next(className: string): string {
    const count = this.#count++
    return `${className}-${this.#node}:${count.toString(16)}`
  }
}
