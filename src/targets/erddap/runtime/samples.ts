import type { Clock } from '../../../core/clock.ts'
import { FlotillaError, messageOf } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { Sample } from '../../../core/rollout.ts'
import { leavesBase } from '../../../core/sample-path.ts'
import { clean } from '../../../lib/clean.ts'
import { HttpClient } from '../../../lib/http.ts'
import { sleepQuietly, withDeadline } from '../../../lib/waiting.ts'
import type { Prepared } from './model.ts'

/** What came of the sample requests of a release, once everything else of it was proved. */
export type Sampled =
  | { readonly is: 'good' }
  /** `tries`: how often in a row it was so. */
  | { readonly is: 'bad'; readonly tries: number; readonly problem: Problem }

/** A slip of the network, or a busy moment of the application, is not taken for an answer before that. */
export const SAMPLE_TRIES = 3
/** How much of an answer is looked at. */
const BODY_MAX = 64 * 1024
const GOT_MAX = 120
const TIMEOUT_MS = { min: 100, max: 120_000 }

/** How long a look waits for the answers; slower ones are there for a later look. */
const LOOK_MS = 1000

/** The samples of one release as it is served, and how far they have come. */
interface Asking {
  readonly of: string
  readonly stop: AbortController
  running: Promise<void> | undefined
  sampled: Sampled | undefined
}

/**
 * Asks the application of this node for samples, one after the other, until each was answered as it should be: then no
 * more, as long as nothing of the release is in doubt again. Asks the configured address only, and follows nothing.
 */
export class Samples {
  readonly #clock: Clock
  readonly #http: HttpClient
  #asking: Asking | undefined

  constructor(url: string, clock: Clock) {
    this.#http = new HttpClient({ url, silenceMs: TIMEOUT_MS.max })
    this.#clock = clock
  }

  /** Undefined as long as no round of questions came to its end: whoever looks must be able to take up something else. */
  async take(prepared: Prepared, op: Op): Promise<Sampled | undefined> {
    const asking = this.#askingFor(prepared)
    if (asking.sampled?.is === 'good') return asking.sampled
    asking.running ??= this.#ask(asking, prepared.samples, op)
    const enough = new AbortController()
    await Promise.race([asking.running, sleepQuietly(this.#clock, LOOK_MS, enough.signal)])
    enough.abort()
    op.signal?.throwIfAborted()
    return asking.sampled
  }

  /** Everything is asked again: what was served when it was asked may be so no more. */
  forget(): void {
    this.#asking?.stop.abort(new FlotillaError('UNREACHABLE', 'something else is wanted now'))
    this.#asking = undefined
  }

  #askingFor(prepared: Prepared): Asking {
    const of = `${prepared.number} ${prepared.compiled.sha256} ${JSON.stringify(prepared.samples)}`
    if (this.#asking?.of !== of) {
      this.forget()
      this.#asking = { of, stop: new AbortController(), running: undefined, sampled: undefined }
    }
    return this.#asking
  }

  /** One round. Never rejects. */
  async #ask(asking: Asking, samples: readonly Sample[], op: Op): Promise<void> {
    const { signal } = asking.stop
    const stop = op.signal === undefined ? signal : AbortSignal.any([signal, op.signal])
    try {
      const problem = await this.#firstProblem(samples, { signal: stop })
      const tries = (asking.sampled?.is === 'bad' ? asking.sampled.tries : 0) + 1
      asking.sampled = problem === undefined ? { is: 'good' } : { is: 'bad', tries, problem }
    } catch {
      // It was given up.
    } finally {
      asking.running = undefined
    }
  }

  async #firstProblem(samples: readonly Sample[], op: Op): Promise<Problem | undefined> {
    for (const sample of samples) {
      const got = await this.#gotInstead(sample, op)
      if (got !== undefined) return problemOf(sample, got)
    }
    return undefined
  }

  /** What came instead of what is expected. */
  async #gotInstead({ path, status, contains, timeoutMs }: Sample, op: Op): Promise<string | undefined> {
    if (leavesBase(path)) return 'nothing was asked: the path leads out of the application'
    const limitMs = Math.min(Math.max(timeoutMs, TIMEOUT_MS.min), TIMEOUT_MS.max)
    try {
      return await withDeadline(this.#clock, limitMs, async (late) => {
        const signal = op.signal === undefined ? late : AbortSignal.any([op.signal, late])
        const answer = await this.#http.send({ method: 'GET', path, signal })
        const body = await firstOf(answer, signal)
        if (answer.statusCode !== status) return `${answer.statusCode ?? 0}${wordsOf(body)}`
        return contains === undefined || body.includes(contains) ? undefined : `${status}${wordsOf(body)}`
      })
    } catch (error) {
      op.signal?.throwIfAborted()
      return messageOf(error)
    }
  }
}

async function firstOf(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    // Leaving the loop closes the connection: a sample may be a whole dataset.
    for await (const chunk of body) {
      chunks.push(chunk)
      size += chunk.byteLength
      if (size >= BODY_MAX) break
    }
  } catch {
    signal.throwIfAborted()
    throw new FlotillaError('UNREACHABLE', `an answer that broke off after ${size} bytes`)
  }
  return Buffer.concat(chunks).subarray(0, BODY_MAX).toString('utf8')
}

function wordsOf(body: string): string {
  const words = clean(body.slice(0, 4 * GOT_MAX))
    .replace(/\s+/g, ' ')
    .trim()
  if (words === '') return ' and nothing with it'
  return `, ${JSON.stringify(words.length > GOT_MAX ? `${words.slice(0, GOT_MAX)}…` : words)}`
}

function problemOf({ path, status, contains }: Sample, got: string): Problem {
  const wanted = contains === undefined ? `${status}` : `${status} with ${JSON.stringify(contains.slice(0, GOT_MAX))}`
  return {
    severity: 'error',
    code: 'SAMPLE_FAILED',
    file: '',
    message: clean(`sample ${path} should be answered with ${wanted}; got ${got}`),
    hint: 'Ask for it on that node. If the answer is right, correct the sample of the release’s strategy.',
  }
}
