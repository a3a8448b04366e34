import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import type { StagedRelease, Target, TargetReport } from '../../core/target.ts'
import { PHRASE, readSecretFile } from '../../lib/secret-file.ts'
import type { GeoserverConfig } from './config.ts'
import { Overlay } from './definition/overlay.ts'
import { ReleaseReader } from './definition/release.ts'
import { DataDirectory } from './directory/data-directory.ts'
import type { CatalogNode } from './local.ts'
import { GeoServerClient } from './rest/client.ts'
import { apply } from './runtime/apply.ts'
import { DataWaits, type MissingData } from './runtime/data-waits.ts'
import { differencesOf, policies, type PolicyOf } from './runtime/differences.ts'
import { KeptVersions } from './runtime/kept.ts'
import type { Actual, Prepared, Step, Traffic } from './runtime/model.ts'
import { loadState, type NodeState, saveState } from './runtime/node-state.ts'
import { observe } from './runtime/observe.ts'
import { OwnCatalog } from './runtime/own-catalog.ts'
import { plan } from './runtime/plan.ts'
import { prepare } from './runtime/prepare.ts'
import { ParameterStores } from './runtime/by-file.ts'
import { report } from './runtime/report.ts'

export interface GeoserverDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Who sends clients to this node just now. Asked only where a reload waits for it. */
  readonly traffic: (op: Op) => Promise<Traffic>
  /** Tells which of the data that an object reads (`CatalogEntry.data`) is not here as it is elsewhere; without it nothing waits. */
  readonly missingData?: MissingData | undefined
}

export interface GeoserverTarget extends Target<Prepared, Actual, Step> {
  /** For what lies outside of bringing it in step. */
  readonly catalog: CatalogNode
  /** Yields whenever something in the data directory may have changed, once it was looked at. */
  changes(signal: AbortSignal): AsyncIterable<void>
}

/** The GeoServer beside this agent. See README.md in this folder for when and how. */
export function geoserverTarget(config: GeoserverConfig, deps: GeoserverDeps): GeoserverTarget {
  return new RunningGeoserver(config, deps)
}

class RunningGeoserver implements GeoserverTarget {
  readonly kind = 'geoserver'
  readonly catalog: OwnCatalog
  readonly #config: GeoserverConfig
  readonly #deps: GeoserverDeps
  readonly #client: GeoServerClient
  readonly #directory: DataDirectory
  readonly #reader: ReleaseReader
  readonly #parameters = new ParameterStores()
  readonly #kept: KeptVersions
  readonly #policyOf: PolicyOf
  readonly #data: DataWaits
  /** As it is on disk, once it has been read. */
  #state: NodeState | undefined
  /** One change of the state at a time: people decide while steps are carried out. */
  #saving: Promise<void> = Promise.resolve()

  constructor(config: GeoserverConfig, deps: GeoserverDeps) {
    this.#config = config
    this.#deps = deps
    const { url, user, passwordFile, timeoutMs, dataDirectory: path } = config
    const { clock } = deps
    const password = async () => await readSecretFile(passwordFile, PHRASE)
    const overlay = new Overlay(config.overlay)
    this.#client = new GeoServerClient({ url, user, password, timeoutMs, clock })
    this.#directory = new DataDirectory({ path, overlay, clock })
    this.#reader = new ReleaseReader(overlay)
    this.#kept = new KeptVersions(config.stateDirectory)
    this.#policyOf = policies(config)
    this.#data = new DataWaits(deps.missingData, config.dataWaitMs)
    this.catalog = new OwnCatalog({
      client: this.#client,
      directory: this.#directory,
      kept: this.#kept,
      state: async () => await this.#readState(),
      change: async (how) => {
        await this.#readState()
        await this.#change(how)
      },
    })
  }

  async prepare(release: StagedRelease, op: Op = {}): Promise<Prepared> {
    return await prepare(release, { reader: this.#reader, parameters: this.#parameters }, op)
  }

  async observe(prepared: Prepared, op: Op = {}): Promise<Actual> {
    const { clock, traffic } = this.#deps
    const parts = {
      client: this.#client,
      directory: this.#directory,
      nowMs: () => clock.nowMs(),
      traffic,
      options: this.#config,
      data: this.#data,
    }
    const actual = await observe(prepared, await this.#readState(), parts, op)
    const { tree, entries, state, nowMs: atMs } = actual
    const differences = state.met ? differencesOf(entries, prepared.entries, state, this.#policyOf) : []
    this.catalog.seen({ release: prepared.number, atMs, tree, differences })
    return actual
  }

  plan(prepared: Prepared, actual: Actual): readonly Step[] {
    return plan(prepared, actual, this.#config)
  }

  async apply(step: Step, op: Op = {}): Promise<void> {
    const state = await this.#readState()
    const { reloadMs, takeOver } = this.#config
    await apply(
      step,
      {
        client: this.#client,
        directory: this.#directory,
        kept: this.#kept,
        clock: this.#deps.clock,
        reloadMs,
        takeOver,
        policyOf: this.#policyOf,
        state: () => this.#state ?? state,
        change: async (how) => await this.#change(how),
      },
      op,
    )
  }

  report(prepared: Prepared, actual: Actual): TargetReport {
    return report(prepared, actual, this.#config)
  }

  changes(signal: AbortSignal): AsyncIterable<void> {
    return this.#directory.changes(signal)
  }

  async #change(how: (state: NodeState) => NodeState): Promise<void> {
    const before = this.#saving
    const save = (async () => {
      await before.catch(() => undefined)
      const was = await this.#readState()
      const next = how(was)
      await saveState(this.#config.stateDirectory, next, was)
      this.#state = next
    })()
    this.#saving = save
    await save
  }

  async #readState(): Promise<NodeState> {
    this.#state ??= await loadState(this.#config.stateDirectory, this.#deps.log)
    return this.#state
  }
}
