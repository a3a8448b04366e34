import type { Clock } from '../../src/core/clock.ts'

/** Items by id, each with the version of its definition. */
export type Content = Readonly<Record<string, string>>

/** A version that the application cannot load: it then serves the item no more. */
export const BAD = 'bad'
/** A version that cannot even be prepared. */
export const MALFORMED = 'malformed'

/** What lies on a node's disk, and survives the death of every process. */
export class Disk {
  /** The agent's memory. */
  readonly texts = new Map<string, string>()
  /** Manifests that are staged, by hash. */
  readonly blobs = new Map<string, Content>()
  /** The application's configuration file. */
  config: { readonly release: number; readonly content: Content } | undefined
  /** What the target remembers: which requests it has done, and the newest release it proved. */
  readonly done = new Map<string, number>()
  proved = 0
}

/** A server that reads its configuration item by item when told, takes its time to load, and knows nothing of agents. */
export class Application {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #loadMs: () => number
  readonly #served = new Map<string, string>()
  readonly #loading = new Map<string, number>()
  readonly #failed = new Map<string, string>()
  /** Everything that was ever served at one moment, as `contentKey`. */
  readonly history = new Set<string>()
  #isRunning = false
  #loads = 0

  constructor(disk: Disk, clock: Clock, loadMs: () => number) {
    this.#disk = disk
    this.#clock = clock
    this.#loadMs = loadMs
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  get served(): Content {
    return Object.fromEntries(this.#served)
  }

  get loading(): readonly string[] {
    return [...this.#loading.keys()]
  }

  get failed(): Content {
    return Object.fromEntries(this.#failed)
  }

  /** How often it was told to load anything. */
  get loads(): number {
    return this.#loads
  }

  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.load(Object.keys(this.#disk.config?.content ?? {}))
  }

  crash(): void {
    this.#isRunning = false
    this.#served.clear()
    this.#loading.clear()
    this.#failed.clear()
  }

  /** Reads the definitions of `ids` now and serves them later; the old ones are served meanwhile. */
  load(ids: readonly string[]): void {
    for (const id of ids) {
      this.#loads += 1
      this.#loading.set(id, this.#loads)
      void this.#finish(id, this.#disk.config?.content[id], this.#loads)
    }
  }

  async #finish(id: string, version: string | undefined, load: number): Promise<void> {
    await this.#clock.sleep(this.#loadMs())
    if (!this.#isRunning || this.#loading.get(id) !== load) return
    this.#loading.delete(id)
    this.#failed.delete(id)
    if (version === BAD) this.#failed.set(id, version)
    if (version === undefined || version === BAD) this.#served.delete(id)
    else this.#served.set(id, version)
    this.history.add(contentKey(this.served))
  }
}

/** Equal for equal contents. */
export function contentKey(content: Content): string {
  return Object.entries(content)
    .map(([id, version]) => `${id}=${version}`)
    .toSorted()
    .join(' ')
}
