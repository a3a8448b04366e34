import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { DigestsWanted } from './digests.ts'

export interface PartJob extends DigestsWanted {
  readonly id: number
  /** A descriptor, open until the answer. */
  readonly file: number
  readonly bytes: number
}

/** Those that were wanted. */
export interface PartDigests {
  readonly md5: string | undefined
  readonly sha256: string | undefined
}

export type PartTold =
  | { readonly id: number; readonly digests: PartDigests }
  | { readonly id: number; readonly failed: string }

const IDLE_MS = 10_000

/**
 * Digests of files that are there already, one after the other, in a thread: what is served meanwhile does not wait for them. The thread is
 * there only while there is something to do: it holds memory.
 */
export class PartHashing {
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #ids = 0
  readonly #waiting = new Map<number, PromiseWithResolvers<PartDigests>>()

  async digests(file: number, bytes: number, { md5, sha256 }: DigestsWanted): Promise<PartDigests> {
    clearTimeout(this.#idle)
    const worker = (this.#worker ??= this.#started())
    const id = ++this.#ids
    const waiting = Promise.withResolvers<PartDigests>()
    this.#waiting.set(id, waiting)
    const job: PartJob = { id, file, bytes, md5, sha256 }
    worker.postMessage(job, [])
    return await waiting.promise
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle)
    await this.#worker?.terminate()
  }

  #started(): Worker {
    // Type stripping and the built package name this file differently.
    const worker = new Worker(new URL(`./part-thread${extname(import.meta.url)}`, import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 1 },
    })
    worker.on('message', (told: PartTold) => this.#answered(told))
    worker.on('error', (error) => this.#lost(worker, error))
    worker.on('exit', () => this.#lost(worker, new Error('the thread that hashes ended')))
    worker.unref()
    return worker
  }

  #answered(told: PartTold): void {
    const waiting = this.#waiting.get(told.id)
    this.#waiting.delete(told.id)
    if ('digests' in told) waiting?.resolve(told.digests)
    else waiting?.reject(new Error(told.failed))
    if (this.#waiting.size > 0) return
    this.#idle = setTimeout(() => void this.#worker?.terminate(), IDLE_MS).unref()
  }

  #lost(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
