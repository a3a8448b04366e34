import { syncDirectory } from './atomic-file.ts'
import { forEachLimited } from './limited.ts'

const PARALLEL = 8

/**
 * Makes renames durable, many at once: those who wait for the same directory at the same time share one fsync, and
 * those who can wait longer leave it to one `syncAll` at their end.
 */
export class DirectorySync {
  readonly #dirty = new Set<string>()
  readonly #running = new Map<string, Promise<void>>()

  /** Something in `directory` was renamed or removed. */
  touch(directory: string): void {
    this.#dirty.add(directory)
  }

  /** Resolves when everything that was touched in `directory` before this call is durable. */
  async sync(directory: string): Promise<void> {
    // One that is under way began before the last touch: it says nothing about that.
    if (this.#dirty.has(directory)) await this.#running.get(directory)?.catch(() => undefined)
    if (this.#dirty.has(directory)) await (this.#running.get(directory) ?? this.#start(directory))
    else await this.#running.get(directory)
  }

  async syncAll(): Promise<void> {
    await forEachLimited([...this.#dirty, ...this.#running.keys()], PARALLEL, async (directory) => this.sync(directory))
  }

  #start(directory: string): Promise<void> {
    this.#dirty.delete(directory)
    const running = this.#run(directory).finally(() => this.#running.delete(directory))
    this.#running.set(directory, running)
    return running
  }

  async #run(directory: string): Promise<void> {
    try {
      await syncDirectory(directory)
    } catch (error) {
      this.#dirty.add(directory)
      throw error
    }
  }
}
