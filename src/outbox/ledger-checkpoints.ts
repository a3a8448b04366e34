import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

/** Between two checkpoints. */
const ROWS = 1000

/** Moves the log of a ledger into its file, in a thread: it waits for the disk, for a tenth of a second and more. */
export class LedgerCheckpoints {
  readonly #path: string
  #worker: Worker | undefined
  #rows = 0

  constructor(path: string) {
    this.#path = path
  }

  /**
   * So many rows have come into the log. Resolves when it is in the file, where it is time for that, or that came to nothing: SQLite does it itself
   * then, when the log has become long. One call at a time.
   */
  async wrote(rows: number): Promise<void> {
    this.#rows += rows
    if (this.#rows < ROWS) return
    this.#rows = 0
    const worker = (this.#worker ??= this.#start())
    await new Promise<void>((resolve) => {
      const end = (): void => {
        worker.off('message', end)
        worker.off('exit', end)
        resolve()
      }
      worker.on('message', end)
      worker.on('exit', end)
      worker.postMessage(1, [])
    })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    worker.ref()
    const ended = once(worker, 'exit')
    worker.postMessage(undefined, [])
    await ended
  }

  #start(): Worker {
    // Type stripping and the built package name this file differently.
    const file = new URL(`./ledger-checkpoint-thread${extname(import.meta.url)}`, import.meta.url)
    const worker = new Worker(file, { workerData: this.#path, resourceLimits: { maxYoungGenerationSizeMb: 1 } })
    worker.unref()
    worker.on('error', () => undefined)
    worker.on('exit', () => (this.#worker = undefined))
    return worker
  }
}
