import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { HashAnswer, HashRequest, LocalBlocks } from './hash-worker.ts'

const THREADS_MAX = 4

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>
  busy: number
}

/** Hashes a file while it is being written. */
export interface Follower {
  /** The file is written up to there, without a gap. */
  reached(position: number): void
  /** The hash, of all up to the last position. The file must not be closed before. */
  end(): Promise<string>
}

/** Hashes in threads of its own, which are started when the first is needed. */
export class Hasher {
  readonly #threads: Thread[] = []
  #lastId = 0

  follow(file: number, algorithm: 'sha256' | 'md5'): Follower {
    const thread = this.#thread()
    const id = ++this.#lastId
    thread.busy += 1
    let failed: Error | undefined
    let ended: Promise<string> | undefined
    thread.waiting.set(id, { resolve: () => undefined, reject: (error) => (failed = error) })
    const end = async (): Promise<string> => {
      thread.busy -= 1
      if (failed !== undefined) throw failed
      return String(await this.#ask(thread, { id, kind: 'end' }))
    }
    return {
      reached: (upTo) => tell(thread, { id, kind: 'more', file, algorithm, upTo }),
      end: async () => (ended ??= end()),
    }
  }

  /** Of the large blocks of a file: their hashes, and those of the small blocks in each. */
  async blocks(file: number, within: readonly number[]): Promise<LocalBlocks> {
    const thread = this.#thread()
    thread.busy += 1
    try {
      return (await this.#ask(thread, { id: ++this.#lastId, kind: 'blocks', file, within })) as LocalBlocks
    } finally {
      thread.busy -= 1
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(async ({ worker }) => worker.terminate()))
  }

  async #ask(thread: Thread, request: HashRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      thread.waiting.set(request.id, { resolve, reject })
      tell(thread, request)
    })
  }

  #thread(): Thread {
    const idle = this.#threads.find(({ busy }) => busy === 0)
    if (idle !== undefined) return idle
    if (this.#threads.length < Math.min(THREADS_MAX, availableParallelism())) return this.#start()
    return this.#threads.reduce((least, thread) => (thread.busy < least.busy ? thread : least))
  }

  #start(): Thread {
    const thread: Thread = { worker: new Worker(workerFile()), waiting: new Map(), busy: 0 }
    this.#threads.push(thread)
    thread.worker.unref()
    thread.worker.on('message', ({ id, value, error }: HashAnswer) => {
      const waiting = thread.waiting.get(id)
      thread.waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    const onEnd = (error: unknown): void => {
      for (const { reject } of thread.waiting.values())
        reject(new Error(`the thread that hashes ended: ${String(error)}`))
      thread.waiting.clear()
      const index = this.#threads.indexOf(thread)
      if (index >= 0) this.#threads.splice(index, 1)
    }
    thread.worker.on('error', onEnd).on('exit', onEnd)
    return thread
  }
}

function tell({ worker }: Thread, request: HashRequest): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a thread, which has no origin
  worker.postMessage(request)
}

/** Beside this file, compiled as this file is. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js', import.meta.url)
}
