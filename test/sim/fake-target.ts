import { FlotillaError } from '../../src/core/errors.ts'
import type { PendingRequest } from '../../src/core/release.ts'
import type { ItemReport, StagedRelease, Target, TargetReport } from '../../src/core/target.ts'
import { type Application, type Content, contentKey, type Disk, MALFORMED } from './application.ts'
import type { Life } from './life.ts'

interface Prepared {
  readonly release: number
  readonly content: Content
  readonly requests: readonly PendingRequest[]
}

interface Actual {
  readonly config: Disk['config']
  readonly isRunning: boolean
  readonly served: Content
  readonly loading: readonly string[]
  readonly failed: Content
  readonly proved: number
  readonly done: ReadonlyMap<string, number>
}

type Step =
  | { readonly do: 'write'; readonly release: number; readonly content: Content }
  | { readonly do: 'load'; readonly ids: readonly string[] }
  | { readonly do: 'request'; readonly request: PendingRequest; readonly ids: readonly string[] }
  | { readonly do: 'prove'; readonly release: number }

export interface FakeTargetOptions {
  readonly disk: Disk
  readonly application: Application
  readonly life: Life
  /** Called with everything that is written to the configuration. */
  readonly onWrite: (release: number, content: Content) => void
}

/** Keeps an `Application` in step, as the target of a real one would: by its files and its answers alone. */
export class FakeTarget implements Target<Prepared, Actual, Step> {
  readonly kind = 'fake'
  readonly #options: FakeTargetOptions

  constructor(options: FakeTargetOptions) {
    this.#options = options
  }

  async prepare({ number, manifest, requests }: StagedRelease): Promise<Prepared> {
    const content = Object.fromEntries(manifest.files.map(({ path, sha256 }) => [path, sha256]))
    const bad = Object.entries(content).find(([, version]) => version === MALFORMED)
    if (bad === undefined) return { release: number, content, requests }
    throw new FlotillaError('PREPARE_FAILED', `${bad[0]} cannot be read`, {
      problems: [
        { severity: 'error', code: 'XML_MALFORMED', file: bad[0], line: 3, column: 7, message: 'not well-formed' },
      ],
    })
  }

  async observe(): Promise<Actual> {
    const { disk, application, life } = this.#options
    return await life.effect(() => ({
      config: disk.config,
      isRunning: application.isRunning,
      served: application.served,
      loading: application.loading,
      failed: application.failed,
      proved: disk.proved,
      done: new Map(disk.done),
    }))
  }

  plan({ release, content, requests }: Prepared, actual: Actual): readonly Step[] {
    const written = actual.config?.release === release && contentKey(actual.config.content) === contentKey(content)
    if (!written) return [{ do: 'write', release, content }]
    if (!actual.isRunning) return []
    const steps: Step[] = []
    const stale = [...new Set([...Object.keys(content), ...Object.keys(actual.served)])]
      .filter((id) => actual.served[id] !== content[id])
      .filter((id) => !actual.loading.includes(id) && (content[id] === undefined || actual.failed[id] !== content[id]))
    if (stale.length > 0) steps.push({ do: 'load', ids: stale })
    for (const request of requests) {
      if (request.generation <= (actual.done.get(keyOf(request)) ?? 0)) continue
      const ids = request.item === '*' ? Object.keys(content) : [request.item]
      steps.push({ do: 'request', request, ids })
    }
    const proved = contentKey(actual.served) === contentKey(content)
    if (proved && steps.length === 0 && actual.proved !== release) steps.push({ do: 'prove', release })
    return steps
  }

  async apply(step: Step): Promise<void> {
    const { disk, application, life, onWrite } = this.#options
    if (step.do === 'write') {
      await life.effect(() => {
        onWrite(step.release, step.content)
        disk.config = { release: step.release, content: step.content }
      })
    }
    if (step.do === 'load' || step.do === 'request') await life.effect(() => application.load(step.ids))
    if (step.do === 'request') await life.effect(() => disk.done.set(keyOf(step.request), step.request.generation))
    if (step.do === 'prove') await life.effect(() => (disk.proved = step.release))
  }

  report({ release, content, requests }: Prepared, actual: Actual): TargetReport {
    const items = Object.fromEntries(Object.keys(content).map((id) => [id, itemOf(id, content, actual)]))
    const states = Object.values(items).map(({ state }) => state)
    const todo = requests.some((request) => request.generation > (actual.done.get(keyOf(request)) ?? 0))
    const applied = actual.config?.release ?? 0
    const rest = actual.loading.length > 0 || todo || Object.keys(actual.served).some((id) => content[id] === undefined)
    return {
      state: stateOf(states, actual.isRunning, rest || applied !== release, actual.proved === release),
      staged: release,
      applied,
      served: actual.proved,
      warnings: [],
      progress: { done: states.filter((state) => state === 'served').length, total: states.length },
      items,
    }
  }
}

function itemOf(id: string, content: Content, actual: Actual): ItemReport {
  if (!actual.isRunning) return { state: 'unproved' }
  if (actual.served[id] === content[id] && !actual.loading.includes(id)) return { state: 'served' }
  if (actual.failed[id] !== content[id]) return { state: 'loading' }
  return {
    state: 'failed',
    problem: { severity: 'error', code: 'PATH_MISSING', file: id, line: 1, message: 'its folder is not there' },
  }
}

function stateOf(
  states: readonly ItemReport['state'][],
  isRunning: boolean,
  hasMore: boolean,
  isProved: boolean,
): TargetReport['state'] {
  if (!isRunning) return 'unproved'
  if (hasMore || states.includes('loading')) return 'pending'
  if (states.includes('failed')) return 'failed'
  return isProved ? 'in-step' : 'pending'
}

function keyOf({ kind, item }: PendingRequest): string {
  return `${kind}/${item}`
}
