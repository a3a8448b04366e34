/**
 * Which positions of a ledger a child has, while several are under way and come back in any order: the cursor is the last position
 * up to which there is nothing left to wait for.
 */
export class Window {
  #cursor: number
  #sent: number
  /** Under way, ascending as they were sent. */
  readonly #open = new Map<number, 'sent' | 'done'>()

  constructor(cursor: number) {
    this.#cursor = cursor
    this.#sent = cursor
  }

  get cursor(): number {
    return this.#cursor
  }

  /** The last one that was sent, or passed over. */
  get sent(): number {
    return this.#sent
  }

  /** Positions are sent in ascending order; those between were replaced by later ones. */
  send(position: number): void {
    this.#sent = position
    this.#open.set(position, 'sent')
  }

  /** Acknowledged, or set aside. True when the cursor has moved. */
  done(position: number): boolean {
    if (!this.#open.has(position)) return false
    this.#open.set(position, 'done')
    const before = this.#cursor
    for (const [first, state] of this.#open) {
      if (state !== 'done') break
      this.#cursor = first
      this.#open.delete(first)
    }
    // Behind the last one under way lies nothing that is waited for.
    if (this.#open.size === 0) this.#cursor = this.#sent
    return this.#cursor !== before
  }

  /** The connection broke: what was under way is sent again. */
  reset(): void {
    this.#open.clear()
    this.#sent = this.#cursor
  }
}
