import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { FlotillaError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { HttpRange } from '../core/files/source.ts'
import type { Span } from '../core/sync/blocks.ts'
import type { LocalBlocks, ThreadAnswer, ThreadRequest } from './thread-messages.ts'

const THREADS_MAX = 4

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly onPosition?: (position: number) => void
}

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
  /** Files that it hashes, and other tasks. */
  busy: number
}

/** Hashes a file while it is being written. */
export interface Follower {
  /** The file is written up to there, without a gap. */
  reached(position: number): void
  /** The hash, of all up to the last position. The file must not be closed before. */
  end(): Promise<string>
  /** Reads a span of the file in the same thread. */
  fetch(task: FetchTask, signal: AbortSignal): Promise<'poured' | 'refused'>
}

export interface FetchTask {
  readonly span: Span
  readonly range: HttpRange
  readonly entry: FileEntry
  /** Of the source, for messages. */
  readonly name: string
  /** The span is written up to there. */
  readonly reached: (position: number) => void
}

/** Threads for what takes long with large files, started when the first is needed. */
export class Threads {
  readonly #threads: Thread[] = []
  #lastId = 0

  /** Without an algorithm nothing is hashed. */
  follow(file: number, algorithm: 'sha256' | 'md5' | undefined): Follower {
    const thread = this.#thread()
    const id = ++this.#lastId
    thread.busy += 1
    let ended: Promise<string> | undefined
    let failed: Error | undefined
    if (algorithm !== undefined) {
      thread.waiting.set(id, { resolve: () => undefined, reject: (error) => (failed = error) })
      tell(thread, { id, kind: 'follow', file, algorithm })
    }
    const end = async (): Promise<string> => {
      thread.busy -= 1
      if (algorithm === undefined) return ''
      if (failed !== undefined) throw failed
      return String(await ask(thread, { id, kind: 'end' }))
    }
    const follower = algorithm === undefined ? undefined : id
    return {
      reached: (upTo) => {
        if (algorithm !== undefined) tell(thread, { id, kind: 'reached', upTo })
      },
      end: async () => (ended ??= end()),
      fetch: async (task, signal) => this.#fetch(thread, { file, follower, ...task }, signal),
    }
  }

  /** Of the large blocks of a file: their hashes, and those of the small blocks in each. */
  async blocks(file: number, within: readonly number[]): Promise<LocalBlocks> {
    const thread = this.#thread()
    thread.busy += 1
    try {
      return (await ask(thread, { id: ++this.#lastId, kind: 'blocks', file, within })) as LocalBlocks
    } finally {
      thread.busy -= 1
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(async ({ worker }) => worker.terminate()))
  }

  async #fetch(
    thread: Thread,
    { reached, ...task }: FetchTask & { readonly file: number; readonly follower: number | undefined },
    signal: AbortSignal,
  ): Promise<'poured' | 'refused'> {
    signal.throwIfAborted()
    const id = ++this.#lastId
    const cut = (): void => tell(thread, { id, kind: 'cut' })
    signal.addEventListener('abort', cut, { once: true })
    try {
      return (await ask(thread, { id, kind: 'fetch', ...task }, reached)) as 'poured' | 'refused'
    } catch (error) {
      // The thread has written its last: now the file may be closed.
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', cut)
    }
  }

  #thread(): Thread {
    const idle = this.#threads.find(({ busy }) => busy === 0)
    if (idle !== undefined) return idle
    if (this.#threads.length < Math.min(THREADS_MAX, availableParallelism())) return this.#start()
    return this.#threads.reduce((least, thread) => (thread.busy < least.busy ? thread : least))
  }

  #start(): Thread {
    const thread: Thread = { worker: new Worker(threadFile()), waiting: new Map(), busy: 0 }
    this.#threads.push(thread)
    thread.worker.unref()
    thread.worker.on('message', (answer: ThreadAnswer) => onAnswer(thread, answer))
    const onEnd = (error: unknown): void => {
      for (const waiting of thread.waiting.values()) waiting.reject(new Error(`a thread ended: ${String(error)}`))
      thread.waiting.clear()
      const index = this.#threads.indexOf(thread)
      if (index >= 0) this.#threads.splice(index, 1)
    }
    thread.worker.on('error', onEnd).on('exit', onEnd)
    return thread
  }
}

function onAnswer({ waiting }: Thread, answer: ThreadAnswer): void {
  const task = waiting.get(answer.id)
  if (task === undefined) return
  if ('position' in answer) {
    task.onPosition?.(answer.position)
    return
  }
  waiting.delete(answer.id)
  if ('error' in answer) task.reject(errorOf(answer))
  else task.resolve(answer.value)
}

async function ask(
  thread: Thread,
  request: ThreadRequest,
  onPosition: (position: number) => void = () => undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    thread.waiting.set(request.id, { resolve, reject, onPosition })
    tell(thread, request)
  })
}

function tell({ worker }: Thread, request: ThreadRequest): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a thread, which has no origin
  worker.postMessage(request)
}

/** Errors lose what they are on their way between threads. */
function errorOf({ error, code, errno }: Extract<ThreadAnswer, { error: string }>): Error {
  if (code !== undefined) return new FlotillaError(code, error)
  return Object.assign(new Error(error), errno === undefined ? {} : { code: errno })
}

/** Beside this file, compiled as this file is. */
function threadFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './large-thread.ts' : './large-thread.js', import.meta.url)
}
