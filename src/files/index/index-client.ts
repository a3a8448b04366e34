import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { FlotillaError } from '../../core/errors.ts'
import type { FileStat } from '../../core/files/entry.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import type { Asked, Note, Told, ToldError, TreeSettings } from './thread-messages.ts'

type OfTree<T> = T extends unknown ? Omit<T, 'tree'> : never

/** What an index hears of its thread. */
export interface TreeEvents {
  readonly onNews: (news: Extract<Told, { readonly what: 'news' }>) => void
  readonly onHashed: () => void
  readonly onNotHashed: (key: string, why: string) => void
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Tree {
  readonly events: TreeEvents
  opened:
    | { readonly resolve: (remade: string | undefined) => void; readonly reject: (error: unknown) => void }
    | undefined
  rested: Waiting | undefined
  closed: Waiting | undefined
  readonly asked: Map<number, Waiting>
}

/**
 * The thread in which folders are followed and indexes are written, so that nothing here ever waits for a disk. Holds
 * memory, so one serves all trees of a process. Begins with the first tree, ends with the last one.
 */
export class IndexThread {
  #worker: Worker | undefined
  readonly #trees = new Map<number, Tree>()
  #numbers = 0

  /** Resolves when the file of the index is there; with why it had to be made again. */
  async open(settings: TreeSettings, events: TreeEvents): Promise<{ tree: TreeHandle; remade: string | undefined }> {
    const number = ++this.#numbers
    const tree: Tree = { events, opened: undefined, rested: undefined, closed: undefined, asked: new Map() }
    this.#trees.set(number, tree)
    try {
      const remade = await new Promise<string | undefined>((resolve, reject) => {
        tree.opened = { resolve, reject }
        this.#post({ tree: number, do: 'open', settings })
      })
      return { tree: this.#handle(number, tree), remade }
    } catch (error) {
      await this.#forget(number)
      throw error
    }
  }

  #handle(number: number, tree: Tree): TreeHandle {
    const post = (asked: OfTree<Asked>): void => this.#post({ tree: number, ...asked })
    const answered = async (ask: (id: number) => OfTree<Asked>): Promise<void> => {
      const id = ++this.#numbers
      await new Promise<void>((resolve, reject) => {
        if (!this.#trees.has(number)) throw lost()
        tree.asked.set(id, { resolve, reject })
        post(ask(id))
      })
    }
    const rest = (): void => post({ do: 'rest' })
    let notes: Note[] = []
    let noted: Promise<void> | undefined
    /** All of the same moment in one message: it costs more than what is in it. */
    const note = async (): Promise<void> => {
      await Promise.resolve()
      const all = notes
      notes = []
      noted = undefined
      await answered((id) => ({ do: 'note', id, notes: all }))
    }
    return {
      follow: async (signal) => {
        if (signal.aborted) return
        signal.addEventListener('abort', rest, { once: true })
        try {
          await new Promise<void>((resolve, reject) => {
            if (!this.#trees.has(number)) throw lost()
            tree.rested = { resolve, reject }
            post({ do: 'follow' })
          })
        } finally {
          signal.removeEventListener('abort', rest)
        }
      },
      note: async (key, stat, facts) => {
        notes.push({ key, stat, facts })
        await (noted ??= note())
      },
      look: (path) => post({ do: 'look', path }),
      scan: async ({ signal }) => {
        signal?.throwIfAborted()
        await Promise.race([answered((id) => ({ do: 'scan', id })), rejection(signal)])
      },
      close: async () => {
        if (!this.#trees.has(number)) return
        await new Promise<void>((resolve, reject) => {
          tree.closed = { resolve, reject }
          post({ do: 'close' })
        })
        await this.#forget(number)
      },
    }
  }

  #post(asked: Asked): void {
    this.#worker ??= this.#start()
    this.#worker.postMessage(asked, [])
  }

  #start(): Worker {
    // Type stripping and the built package name this file differently.
    const file = new URL(`./index-thread${extname(import.meta.url)}`, import.meta.url)
    // What it makes is garbage at once: a small space for it is enough, and saves 10 MB.
    const worker = new Worker(file, { resourceLimits: { maxYoungGenerationSizeMb: 3 } })
    worker.on('message', (told: Told) => {
      const tree = this.#trees.get(told.tree)
      if (tree !== undefined) hear(tree, told)
    })
    worker.on('error', (error) => this.#fail(worker, error))
    worker.on('exit', () => this.#fail(worker, lost()))
    return worker
  }

  /** Whoever waits hears of it, and opens anew. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const tree of this.#trees.values()) {
      for (const waiting of [tree.opened, tree.rested, ...tree.asked.values()]) waiting?.reject(error)
      tree.closed?.resolve()
    }
    this.#trees.clear()
  }

  async #forget(number: number): Promise<void> {
    this.#trees.delete(number)
    if (this.#trees.size > 0) return
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }
}

/** One tree of the thread. Calls reject when the thread was lost; then a new one has to be opened. */
export interface TreeHandle {
  /** Resolves when the signal aborted. Rejects when following failed. */
  follow(signal: AbortSignal): Promise<void>
  note(key: string, stat: FileStat | undefined, facts: FileFacts | undefined): Promise<void>
  look(path: string): void
  scan(op: Op): Promise<void>
  close(): Promise<void>
}

function hear(tree: Tree, told: Told): void {
  switch (told.what) {
    case 'opened':
      tree.opened?.resolve(told.remade)
      break
    case 'not-opened':
      tree.opened?.reject(toError(told.error))
      break
    case 'news':
      tree.events.onNews(told)
      break
    case 'hashed':
      tree.events.onHashed()
      break
    case 'not-hashed':
      tree.events.onNotHashed(told.key, told.why)
      break
    case 'done':
      settle(tree.asked.get(told.id), told.error)
      tree.asked.delete(told.id)
      break
    case 'rests':
      settle(tree.rested, told.error)
      break
    case 'closed':
      tree.closed?.resolve()
      break
  }
}

function settle(waiting: Waiting | undefined, error: ToldError | undefined): void {
  if (error === undefined) waiting?.resolve()
  else waiting?.reject(toError(error))
}

function toError({ code, message, file }: ToldError): FlotillaError {
  return new FlotillaError(code, message, { file })
}

function lost(): FlotillaError {
  return new FlotillaError('NOT_READY', 'the thread of the index has ended')
}

async function rejection(signal: AbortSignal | undefined): Promise<never> {
  return await new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
