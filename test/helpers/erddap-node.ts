import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { silent } from '../../src/core/log.ts'
import type { StagedRelease, TargetReport } from '../../src/core/target.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { ErddapConfig } from '../../src/targets/erddap/config.ts'
import { type ErddapTarget, erddapTarget } from '../../src/targets/erddap/target.ts'
import { type Erddap, startErddap } from '../../standin/erddap/erddap.ts'
import type { ErddapOptions } from '../../standin/erddap/options.ts'
import { until } from '../../standin/erddap/test-kit.ts'
import { releaseOf } from './erddap-release.ts'

/** One node: folders of an ERDDAP, a stand-in in them, and the target beside it, quick enough for tests. */
export class ErddapNode {
  readonly root = mkdtempSync(join(tmpdir(), 'erddap-node-'))
  readonly contentDir = join(this.root, 'content')
  readonly bigParentDir = join(this.root, 'bigParent')
  readonly stateDir = join(this.root, 'state')
  /** A data folder with one file, `one.csv`. */
  readonly data = join(this.root, 'data')
  readonly datasetsXml = join(this.contentDir, 'datasets.xml')
  readonly #settings: Partial<ErddapConfig>
  erddap: Erddap | undefined
  #target: ErddapTarget | undefined
  #offsetMs = 0

  constructor(settings: Partial<ErddapConfig> = {}) {
    this.#settings = settings
    for (const folder of [this.contentDir, this.bigParentDir, this.data]) mkdirSync(folder)
    writeFileSync(join(this.data, 'one.csv'), 'time,value\n')
    onTestFinished(async () => {
      await this.erddap?.close()
      rmSync(this.root, { recursive: true, force: true })
    })
  }

  async start(options: Partial<ErddapOptions> = {}): Promise<Erddap> {
    const { contentDir, bigParentDir } = this
    const listen = this.erddap === undefined ? {} : { listen: new URL(this.erddap.url).host }
    this.erddap = await startErddap({ contentDir, bigParentDir, pollMs: 10, loadMs: 0, ...listen, ...options })
    return this.erddap
  }

  /** Starts it as if some time had passed since files were written: ERDDAP tells its start to the second. */
  async startLater(options: Partial<ErddapOptions> = {}): Promise<Erddap> {
    const then = Date.now() / 1000 - 2
    utimesSync(this.datasetsXml, then, then)
    return await this.start(options)
  }

  /** Like a process that is killed. */
  async stop(): Promise<void> {
    await this.erddap?.close()
  }

  /** Waits until the first major load has ended. */
  async loaded(): Promise<void> {
    await until('the first major load has ended', () => this.erddap?.stats.loads[0]?.finishedAtMs !== undefined)
  }

  /** The agent's target; the same one until `forget`. */
  get target(): ErddapTarget {
    this.#target ??= this.makeTarget()
    return this.#target
  }

  /** Somebody sets the clock of the machine. */
  setClock(byMs: number): void {
    this.#offsetMs += byMs
  }

  /** What a crash of the agent leaves: the disk. */
  forget(): void {
    this.#target = undefined
  }

  makeTarget(): ErddapTarget {
    const values = new Map([['data', this.data]])
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + this.#offsetMs }
    return erddapTarget(this.config, { clock, log: silent, node: 'alpha', values })
  }

  get config(): ErddapConfig {
    return {
      contentDirectory: this.contentDir,
      bigParentDirectory: this.bigParentDir,
      stateDirectory: this.stateDir,
      url: this.erddap?.url ?? 'http://127.0.0.1:9/erddap',
      settleMs: 60,
      startMs: 300,
      flagMs: 5000,
      retryMs: 5000,
      timeoutMs: 5000,
      ...this.#settings,
    }
  }

  /** One turn of the agent: observe, plan and apply until nothing can be done now; then the report. */
  async turn(release: StagedRelease, target = this.target): Promise<TargetReport> {
    const prepared = await target.prepare(release)
    for (;;) {
      const actual = await target.observe(prepared)
      const steps = target.plan(prepared, actual)
      if (steps.length === 0) return target.report(prepared, actual)
      for (const step of steps) await target.apply(step)
    }
  }

  /** Turns of the agent until the report is as wanted. */
  async reach(
    release: StagedRelease,
    what: string,
    wanted: (report: TargetReport) => boolean,
    target = this.target,
  ): Promise<TargetReport> {
    let last = await this.turn(release, target)
    for (let turn = 0; turn < 600 && !wanted(last); turn++) {
      await delay(15)
      last = await this.turn(release, target)
    }
    if (!wanted(last))
      throw new Error(`${what} was never reported; the last report is ${JSON.stringify(last, undefined, 1)}`)
    return last
  }

  async inStep(release: StagedRelease, target = this.target): Promise<TargetReport> {
    return await this.reach(release, 'in-step', ({ state }) => state === 'in-step', target)
  }

  /** Ids that were loaded or unloaded since, each with what it was, in order. */
  events(since = 0): readonly string[] {
    return (this.erddap?.stats.events ?? []).slice(since).map(({ event, id, by }) => `${event} ${id} by ${by}`)
  }

  get eventCount(): number {
    return this.erddap?.stats.events.length ?? 0
  }

  flagCount(): number {
    return this.erddap?.stats.flags.length ?? 0
  }

  /** Flags that ERDDAP took since. */
  flags(since: number): readonly string[] {
    return (this.erddap?.stats.flags ?? []).slice(since).map(({ kind, id }) => `${kind} ${id}`)
  }

  xml(): string {
    return readFileSync(this.datasetsXml, 'utf8')
  }

  /** Somebody else writes datasets.xml. */
  overwrite(content: string): void {
    writeFileSync(`${this.datasetsXml}.new`, content)
    renameSync(`${this.datasetsXml}.new`, this.datasetsXml)
  }
}

/** A node in step with release 1; what happened until then is not counted. */
export async function settled(
  sources: Readonly<Record<string, string>>,
  node = new ErddapNode(),
  options: Parameters<ErddapNode['start']>[0] = {},
) {
  const one = releaseOf(1, sources)
  await node.turn(one)
  await node.startLater(options)
  node.forget()
  await node.inStep(one)
  const [events, flags] = [node.eventCount, node.flagCount()]
  return { node, one, events: () => node.events(events).toSorted(), flags: () => node.flags(flags) }
}
