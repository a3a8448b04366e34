import type { Memory } from '../agent/memory.ts'
import type { CatalogLook } from '../targets/geoserver/local.ts'
import type { Proposed } from './next-release.ts'
import { SeenPasswords } from './seen.ts'

interface Held {
  readonly version: string
  /** The release that has it. */
  readonly release: number
}

/**
 * What whoever proposes must know after a restart: passwords that were seen, and what was released and is not desired. That is on its
 * way as a rollout, or was taken back: it must not be released again and again.
 */
export class ProposerMemory {
  readonly #memory: Memory
  readonly #name: string
  #passwords = new SeenPasswords()
  #held = new Map<string, Held>()
  #isChanged = false

  constructor(memory: Memory, tree: string) {
    this.#memory = memory
    this.#name = `catalog-${tree}`
  }

  async load(): Promise<void> {
    const [passwords, held] = await Promise.all(
      [`${this.#name}-passwords`, `${this.#name}-held`].map(async (name) => await this.#memory.load(name)),
    )
    this.#passwords = new SeenPasswords(passwords)
    this.#held = new Map(held === undefined ? [] : (JSON.parse(held) as [string, Held][]))
  }

  get passwords(): SeenPasswords {
    return this.#passwords
  }

  /** Whether that was released, and is waited for. */
  isHeld({ key, version }: Proposed): boolean {
    return this.#held.get(key)?.version === version
  }

  /** Why what is held is not released again. */
  why(): { readonly code: string; readonly message: string; readonly hint: string } {
    const number = Math.max(0, ...[...this.#held.values()].map(({ release }) => release))
    return {
      code: 'ROLLOUT_RUNNING',
      message: `r${number} has it, and is on its way here or was taken back`,
      hint: '`flotilla rollout` tells which. To release it once more: flotilla catalog adopt',
    }
  }

  /** Forgets what no longer waits: the node and the release agree on it, or it is another version by now. */
  seen({ release }: CatalogLook, wished: readonly Proposed[]): void {
    const waits = new Map(wished.map(({ key, version }) => [key, version]))
    for (const [key, held] of this.#held) {
      if (waits.get(key) === held.version || (!waits.has(key) && release < held.release)) continue
      this.#held.delete(key)
      this.#isChanged = true
    }
  }

  released(proposed: readonly Proposed[], release: number): void {
    for (const { key, version } of proposed) this.#held.set(key, { version, release })
    this.#passwords.released(proposed)
    this.#isChanged = true
  }

  letGo(keys: readonly string[]): void {
    for (const key of keys) this.#isChanged = this.#held.delete(key) || this.#isChanged
  }

  async save(): Promise<void> {
    if (this.#passwords.isChanged) await this.#memory.save(`${this.#name}-passwords`, this.#passwords.toText())
    if (!this.#isChanged) return
    this.#isChanged = false
    await this.#memory.save(`${this.#name}-held`, JSON.stringify([...this.#held]))
  }
}
