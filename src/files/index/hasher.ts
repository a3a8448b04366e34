import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../core/clock.ts'
import type { FileStat } from '../../core/files/entry.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import type { HashedFile } from './hash-file.ts'

export interface HashJob {
  /** Absolute, without links. */
  readonly path: string
  readonly stat: FileStat
  readonly md5: boolean
  /** At most; a cap for what else reads that disk. */
  readonly bytesPerSecond: number
}

export type HashAnswer =
  | { readonly part: number; readonly hashes: Uint8Array }
  | { readonly ended: HashedFile | undefined }
  | { readonly failed: string }

const IDLE_MS = 10_000

/**
 * Hashes files in a thread of its own, one at a time, at the lowest priority. The thread is there only while there is something to
 * hash: it holds memory.
 */
export class Hasher {
  readonly #clock: Clock
  #worker: Worker | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #closed = false
  #turn = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** As `hashFile`. Rejects with the signal's reason. */
  async hash(
    job: HashJob,
    onPart: (part: number, hashes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<HashedFile | undefined> {
    const result = this.#queue.then(() => this.#run(job, onPart, signal))
    this.#queue = result.catch(() => undefined)
    return result
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#worker?.terminate()
  }

  async #run(
    job: HashJob,
    onPart: (part: number, hashes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<HashedFile | undefined> {
    signal.throwIfAborted()
    if (this.#closed) throw new Error('closed')
    const turn = ++this.#turn
    // Type stripping and the built package name this file differently.
    this.#worker ??= new Worker(new URL(`./hash-thread${extname(import.meta.url)}`, import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 1 },
    })
    const worker = this.#worker
    try {
      return await answerOf(worker, job, onPart, signal)
    } catch (error) {
      // What it is doing now cannot be told from what it is asked next.
      await this.#end(worker)
      throw error
    } finally {
      void this.#endWhenIdle(worker, turn)
    }
  }

  async #endWhenIdle(worker: Worker, turn: number): Promise<void> {
    worker.unref()
    await sleepQuietly(this.#clock, IDLE_MS, new AbortController().signal)
    if (turn === this.#turn) await this.#end(worker)
    else worker.ref()
  }

  async #end(worker: Worker): Promise<void> {
    if (this.#worker === worker) this.#worker = undefined
    await worker.terminate()
  }
}

async function answerOf(
  worker: Worker,
  job: HashJob,
  onPart: (part: number, hashes: Uint8Array) => void,
  signal: AbortSignal,
): Promise<HashedFile | undefined> {
  const over = new AbortController()
  try {
    return await new Promise<HashedFile | undefined>((resolve, reject) => {
      const onMessage = (answer: HashAnswer): void => {
        if ('part' in answer) onPart(answer.part, answer.hashes)
        else if ('failed' in answer) reject(new Error(answer.failed))
        else resolve(answer.ended)
      }
      const onError = (error: Error): void => reject(error)
      const onExit = (): void => reject(new Error('the thread ended'))
      worker.on('message', onMessage).on('error', onError).on('exit', onExit)
      const onAbort = (): void => reject(signal.reason as Error)
      signal.addEventListener('abort', onAbort)
      over.signal.addEventListener('abort', () => {
        worker.off('message', onMessage).off('error', onError).off('exit', onExit)
        signal.removeEventListener('abort', onAbort)
      })
      worker.postMessage(job, [])
    })
  } finally {
    over.abort()
  }
}
