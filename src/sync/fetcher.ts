import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { BATCH_LIMITS } from '../core/files/peer.ts'
import type { FileEntry } from '../core/files/entry.ts'
import { decideRetry, type Tries } from '../core/sync/retry.ts'
import { fetchBatch, fetchSmall, type FetchParts } from './small.ts'
import { entryOf } from './entries.ts'
import type { Lane, Lanes } from './lanes.ts'
import type { Ready } from './places.ts'
import { Queue } from './queue.ts'

/** Jobs known at once: whoever adds more waits. */
const JOBS_MAX = 4096
const BATCHES_MAX = 4
/** Files of one batch: small enough that several travel at once. */
const BATCH = { files: 500, bytes: 4 * 1024 * 1024, least: 100 } as const
const LARGE_AT_ONCE = 4

/** A file to be brought over. */
export interface Job {
  readonly entry: FileEntry
  /** The source that listed it. */
  readonly lister: Lane
}

interface JobState extends Tries {
  readonly job: Job
}

export interface FetchEvents {
  fetched(entry: FileEntry): void
  failed(entry: FileEntry, error: unknown): void
  /** It is not at the source any more. */
  vanished(entry: FileEntry): void
}

export interface FetcherOptions extends FetchParts {
  readonly random: () => number
  readonly events: FetchEvents
  readonly signal: AbortSignal
  /** Brings over one large file. */
  readonly large: (job: Job) => Promise<void>
}

/** Brings files over, many at once, each as often as it takes. One bad file never stops the others. */
export class Fetcher {
  readonly #options: FetcherOptions
  readonly #lanes: Lanes
  readonly #clock: Clock
  /** Small files that may come in batches; those that come one by one; large ones. */
  readonly #batched = new Queue<JobState>()
  readonly #single = new Queue<JobState>()
  readonly #large = new Queue<JobState>()
  readonly #running = { batches: 0, single: 0, large: 0 }
  #pending = 0
  #isDraining = false
  #isPumping = false
  /** Of whoever was told of a file, such as a state that has no room for it: then nothing can be relied on. */
  #fault: { readonly error: unknown } | undefined
  readonly #waiting = new Set<() => void>()

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#lanes = options.lanes
    this.#clock = options.clock
  }

  /** Resolves when there is room for more; rejects as `drain`. */
  async add(job: Job): Promise<void> {
    this.#throwFault()
    this.#pending += 1
    this.#enqueue({ job, failures: 0, changes: 0 })
    while (this.#pending >= JOBS_MAX) await this.#change()
  }

  /** Resolves when nothing is left to do; rejects when the signal is aborted, or with what an event threw. */
  async drain(): Promise<void> {
    this.#isDraining = true
    this.#pump()
    while (this.#pending > 0) await this.#change()
    this.#isDraining = false
    this.#throwFault()
    this.#options.signal.throwIfAborted()
  }

  #enqueue(state: JobState): void {
    const { entry, lister } = state.job
    if (entry.size > BATCH_LIMITS.fileBytes) this.#large.push(state)
    else if (lister.source.peer !== undefined && state.failures === 0) this.#batched.push(state)
    else this.#single.push(state)
    void this.#pumpSoon()
  }

  /** What is added in one go is looked at together. */
  async #pumpSoon(): Promise<void> {
    if (this.#isPumping) return
    this.#isPumping = true
    await setImmediate()
    this.#isPumping = false
    this.#pump()
  }

  #pump(): void {
    const running = this.#running
    while (this.#large.length > 0 && running.large < LARGE_AT_ONCE) {
      void this.#start('large', this.#large.take(1))
    }
    while (this.#single.length > 0 && running.single < this.#lanes.capacity) {
      void this.#start('single', this.#single.take(1))
    }
    // Nobody else will come for whom the others could wait.
    if (running.single === 0) void this.#options.placer.flush()
    while (this.#batched.length > 0 && running.batches < BATCHES_MAX) {
      const isWorthIt = this.#isDraining || running.batches === 0 || this.#batched.length >= BATCH.least
      if (!isWorthIt) return
      void this.#start('batches', takeBatch(this.#batched, this.#options.throttle.rate))
    }
  }

  async #start(kind: 'batches' | 'single' | 'large', states: readonly JobState[]): Promise<void> {
    this.#running[kind] += 1
    try {
      if (kind === 'batches') await this.#batch(states)
      else for (const state of states) await this.#one(kind, state)
    } finally {
      this.#running[kind] -= 1
      this.#pump()
    }
  }

  async #one(kind: 'single' | 'large', state: JobState): Promise<void> {
    const { signal, placer, large } = this.#options
    try {
      signal.throwIfAborted()
      if (kind === 'large') {
        await large(state.job)
        this.#finish(() => this.#options.events.fetched(state.job.entry))
        return
      }
      void this.#place(state, await fetchSmall(state.job, this.#options, signal))
      // Others travel while it is put in its place.
      await placer.room()
    } catch (error) {
      this.#again(state, error)
    }
  }

  async #place(state: JobState, ready: Ready): Promise<void> {
    try {
      await this.#options.placer.put(ready)
      this.#finish(() => this.#options.events.fetched(state.job.entry))
    } catch (error) {
      this.#again(state, error)
    }
  }

  async #batch(states: readonly JobState[]): Promise<void> {
    const left = new Map(states.map((state) => [state.job.entry, state]))
    const onItem = (entry: FileEntry, error: unknown): void => {
      const state = left.get(entry)
      if (state === undefined) return
      left.delete(entry)
      if (error === undefined) this.#finish(() => this.#options.events.fetched(entry))
      else this.#again(state, error)
    }
    try {
      await fetchBatch(
        states.map(({ job }) => job),
        this.#options,
        this.#options.signal,
        onItem,
      )
    } catch (error) {
      for (const state of left.values()) this.#again(state, error)
      return
    }
    // What a batch passes over is asked for by itself.
    for (const state of left.values()) this.#enqueue({ ...state, failures: state.failures + 1 })
  }

  /** Tries once more, now or later, or gives up. */
  #again(state: JobState, error: unknown): void {
    const { signal, random, events } = this.#options
    const { entry } = state.job
    const decision =
      signal.aborted || this.#fault !== undefined || this.#lanes.isOut
        ? { do: 'give-up' as const }
        : decideRetry(error, state, random)
    if (decision.do === 'give-up') this.#finish(() => events.failed(entry, error))
    else if (decision.do === 'look') void this.#look({ ...state, changes: state.changes + 1 })
    else void this.#later({ ...state, failures: state.failures + 1 }, decision.ms, error)
  }

  async #later(state: JobState, ms: number, error: unknown): Promise<void> {
    const { signal, events } = this.#options
    try {
      await this.#clock.sleep(ms, signal)
      this.#enqueue(state)
    } catch {
      this.#finish(() => events.failed(state.job.entry, error))
    }
  }

  /** It is another one than was listed: begins anew with what it is by now. */
  async #look(state: JobState): Promise<void> {
    const { signal, events } = this.#options
    const { entry, lister } = state.job
    try {
      const found = await this.#lanes.run(
        { allows: ({ index }) => index === lister.index, signal },
        async ({ source }) => entryOf(source, entry.key, signal),
      )
      if (found === undefined) this.#finish(() => events.vanished(entry))
      else this.#enqueue({ ...state, job: { entry: found, lister } })
    } catch (error) {
      this.#again(state, error)
    }
  }

  #finish(tell: () => void): void {
    this.#pending -= 1
    try {
      tell()
    } catch (error) {
      this.#fault ??= { error }
    }
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  #throwFault(): void {
    if (this.#fault !== undefined) throw this.#fault.error
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve))
  }
}

/** As many as go well together; with a cap on what travels, no more than a second's worth. */
function takeBatch(queue: Queue<JobState>, rate: number): readonly JobState[] {
  const bytesMax = Math.min(BATCH.bytes, rate)
  let count = 0
  for (let bytes = 0; count < Math.min(queue.length, BATCH.files); count++) {
    bytes += queue.peek(count)?.job.entry.size ?? 0
    if (bytes > bytesMax && count > 0) break
  }
  return queue.take(count)
}
