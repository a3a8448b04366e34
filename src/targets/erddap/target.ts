import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import type { StagedRelease, Target, TargetReport } from '../../core/target.ts'
import type { ErddapConfig } from './config.ts'
import { FragmentCache } from './definition/cache.ts'
import { apply } from './runtime/apply.ts'
import { ApplicationClient } from './runtime/application.ts'
import { Comparison } from './runtime/comparison.ts'
import { Fingerprints } from './runtime/fingerprints.ts'
import type { Actual, Prepared, Step } from './runtime/model.ts'
import { loadState, type NodeState, saveState } from './runtime/node-state.ts'
import { observe } from './runtime/observe.ts'
import { plan } from './runtime/plan.ts'
import { prepare } from './runtime/prepare.ts'
import { report } from './runtime/report.ts'
import { Samples } from './runtime/samples.ts'
import { SideFiles } from './runtime/side-files.ts'
import { Versions } from './runtime/versions.ts'

export interface ErddapDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Name of this node. */
  readonly node: string
  /** What `${node.NAME}` stands for here, by NAME, besides `name` and `files`. */
  readonly values: ReadonlyMap<string, string>
}

export type ErddapTarget = Target<Prepared, Actual, Step>

/** The ERDDAP beside this agent. See README.md in this folder for when and how. */
export function erddapTarget(config: ErddapConfig, deps: ErddapDeps): ErddapTarget {
  return new RunningErddap(config, deps)
}

class RunningErddap implements ErddapTarget {
  readonly kind = 'erddap'
  readonly #config: ErddapConfig
  readonly #deps: ErddapDeps
  readonly #filesDirectory: string
  readonly #datasetsXml: string
  readonly #cache = new FragmentCache()
  readonly #fingerprints = new Fingerprints()
  readonly #versions: Versions
  readonly #sideFiles: SideFiles
  readonly #comparison: Comparison
  readonly #client: ApplicationClient | undefined
  readonly #samples: Samples | undefined
  /** As it is on disk, once it has been read. */
  #state: NodeState | undefined

  constructor(config: ErddapConfig, deps: ErddapDeps) {
    this.#config = config
    this.#deps = deps
    this.#datasetsXml = join(config.contentDirectory, 'datasets.xml')
    this.#filesDirectory = config.filesDirectory ?? join(config.contentDirectory, 'flotilla-files')
    this.#versions = new Versions(config.stateDirectory, deps.clock)
    this.#sideFiles = new SideFiles(this.#filesDirectory, this.#versions)
    this.#comparison = new Comparison(this.#versions)
    const { url, timeoutMs } = config
    this.#client = url === undefined ? undefined : new ApplicationClient({ url, timeoutMs, clock: deps.clock })
    this.#samples = url === undefined ? undefined : new Samples(url, deps.clock)
  }

  async prepare(release: StagedRelease, op?: Op): Promise<Prepared> {
    const { node, values } = this.#deps
    const { lists } = await this.#readState()
    return await prepare(release, { node, values, filesDirectory: this.#filesDirectory, lists, cache: this.#cache }, op)
  }

  async observe(prepared: Prepared, op: Op = {}): Promise<Actual> {
    const parts = {
      datasetsXml: this.#datasetsXml,
      bigParentDirectory: this.#config.bigParentDirectory,
      client: this.#client,
      clock: this.#deps.clock,
      fingerprints: this.#fingerprints,
      comparison: this.#comparison,
      sideFiles: this.#sideFiles,
    }
    const actual = await observe(prepared, await this.#readState(), parts, op)
    if (this.#samples === undefined || prepared.samples.length === 0) return actual
    if (this.report(prepared, { ...actual, sampled: { is: 'good' } }).state === 'in-step') {
      return { ...actual, sampled: await this.#samples.take(prepared, op) }
    }
    this.#samples.forget()
    return actual
  }

  plan(prepared: Prepared, actual: Actual): readonly Step[] {
    return plan(prepared, actual, this.#config)
  }

  async apply(step: Step, op: Op = {}): Promise<void> {
    const state = await this.#readState()
    await apply(
      step,
      {
        datasetsXml: this.#datasetsXml,
        bigParentDirectory: this.#config.bigParentDirectory,
        clock: this.#deps.clock,
        log: this.#deps.log,
        versions: this.#versions,
        sideFiles: this.#sideFiles,
        state: () => this.#state ?? state,
        save: async (next) => {
          mkdirSync(this.#config.stateDirectory, { recursive: true, mode: 0o700 })
          saveState(this.#config.stateDirectory, next)
          this.#state = next
        },
      },
      op,
    )
  }

  report(prepared: Prepared, actual: Actual): TargetReport {
    return report(prepared, actual, this.#config, this.#config)
  }

  async #readState(): Promise<NodeState> {
    this.#state ??= await loadState(this.#config.stateDirectory, this.#deps.log)
    return this.#state
  }
}
