import { folderOf } from '../files/entry.ts'
import { chunkOf } from './times.ts'

/** Which chunks of each folder are the newest. */
export class NewestChunks {
  readonly #count: number | undefined
  readonly #byFolder = new Map<string, number[]>()

  constructor(count: number | undefined) {
    this.#count = count
  }

  see(key: string): void {
    const chunk = chunkOf(key)
    if (chunk === undefined || this.#count === undefined) return
    const folder = folderOf(key)
    const chunks = this.#byFolder.get(folder) ?? []
    chunks.push(chunk)
    chunks.sort((a, b) => b - a)
    chunks.length = Math.min(chunks.length, this.#count)
    this.#byFolder.set(folder, chunks)
  }

  takes(key: string): boolean {
    const chunk = chunkOf(key)
    if (chunk === undefined || this.#count === undefined) return true
    return chunk >= (this.#byFolder.get(folderOf(key))?.at(-1) ?? chunk)
  }
}
