import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { silent } from '../../src/core/log.ts'
import type { PendingRequest } from '../../src/core/release.ts'
import type { StagedRelease, Target, TargetReport } from '../../src/core/target.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { type GeoserverConfig, geoserverConfigSchema } from '../../src/targets/geoserver/config.ts'
import { Overlay } from '../../src/targets/geoserver/definition/overlay.ts'
import { DataDirectory } from '../../src/targets/geoserver/directory/data-directory.ts'
import type { Actual, Prepared, Step, Traffic } from '../../src/targets/geoserver/runtime/model.ts'
import { type GeoserverTarget, geoserverTarget } from '../../src/targets/geoserver/target.ts'
import { type GeoServer, startGeoServer } from '../../standin/geoserver/geoserver.ts'
import type { GeoServerOptions } from '../../standin/geoserver/options.ts'
import { smallDirectory, idsWith } from './geoserver-directory.ts'

const PASSWORD = 'geoserver'
const TURNS_MAX = 60

/** One node: a data directory, a stand-in on it, and the target beside it, quick enough for tests. */
export class GeoserverNode {
  readonly root = mkdtempSync(join(tmpdir(), 'geoserver-node-'))
  readonly directory = join(this.root, 'data')
  readonly stateDir = join(this.root, 'state')
  readonly #settings: Partial<GeoserverConfig>
  geoserver: GeoServer | undefined
  traffic: Traffic = 'no-proxy'
  #target: GeoserverTarget | undefined
  #offsetMs = 0

  constructor(settings: Partial<GeoserverConfig> = {}) {
    this.#settings = settings
    mkdirSync(this.directory)
    writeFileSync(join(this.root, 'password'), PASSWORD, { mode: 0o600 })
    onTestFinished(async () => {
      await this.geoserver?.kill()
      rmSync(this.root, { recursive: true, force: true })
    })
  }

  /** A catalog of two workspaces, with ids of this node's own. */
  seed(salt = 'one'): this {
    for (const [path, content] of smallDirectory(idsWith(salt))) {
      // That one was encrypted with no keystore at all.
      this.write(path, content.replace(/\s*<entry key="passwd">[^<]*<\/entry>/, ''))
    }
    return this
  }

  /** What a join brings: both can read what the other encrypts. */
  shareKeystore(other: GeoserverNode): this {
    cpSync(join(other.directory, 'security'), join(this.directory, 'security'), { recursive: true })
    return this
  }

  async start(options: Partial<GeoServerOptions> = {}): Promise<GeoServer> {
    const port = this.geoserver === undefined ? {} : { port: Number(new URL(this.geoserver.url).port) }
    const quick = { reloadMs: 20, styleMs: 5, fileMs: 5, slowMs: 50 }
    const { directory: dataDirectory } = this
    this.geoserver = await startGeoServer({ dataDirectory, ...quick, ...port, ...options })
    return this.geoserver
  }

  get url(): string {
    return this.geoserver?.url ?? 'http://127.0.0.1:1/geoserver'
  }

  /** The agent's target; the same one until `forget`. */
  get target(): GeoserverTarget {
    this.#target ??= this.makeTarget()
    return this.#target
  }

  /** What a crash of the agent leaves: the disk. */
  forget(): void {
    this.#target = undefined
  }

  /** Somebody sets the clock of the machine, or time passes. */
  setClock(byMs: number): void {
    this.#offsetMs += byMs
  }

  makeTarget(settings: Partial<GeoserverConfig> = {}): GeoserverTarget {
    const config = geoserverConfigSchema.parse({
      dataDirectory: this.directory,
      url: this.url,
      passwordFile: join(this.root, 'password'),
      stateDirectory: this.stateDir,
      timeoutMs: 3000,
      ...this.#settings,
      ...settings,
    })
    const clock = {
      nowMs: () => systemClock.nowMs() + this.#offsetMs,
      monotonicMs: () => systemClock.monotonicMs(),
      sleep: async (ms: number, signal?: AbortSignal) => await systemClock.sleep(ms, signal),
    }
    return geoserverTarget(config, { clock, log: silent, traffic: async () => await Promise.resolve(this.traffic) })
  }

  /** Observes, plans and applies until nothing is left to do now; answers the last report. */
  async turn(release: StagedRelease, target: Target<Prepared, Actual, Step> = this.target): Promise<TargetReport> {
    const prepared = await target.prepare(release)
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const actual = await target.observe(prepared)
      const steps = target.plan(prepared, actual)
      if (steps.length === 0) return target.report(prepared, actual)
      for (const step of steps) await target.apply(step)
    }
    throw new Error(`there is always something left to do: ${JSON.stringify(await this.report(release, target))}`)
  }

  async report(release: StagedRelease, target: Target<Prepared, Actual, Step> = this.target): Promise<TargetReport> {
    const prepared = await target.prepare(release)
    return target.report(prepared, await target.observe(prepared))
  }

  /** The data directory as it stands, as a release. */
  async release(number: number, requests: readonly PendingRequest[] = []): Promise<StagedRelease> {
    const tree = await new DataDirectory({ path: this.directory, overlay: new Overlay(), clock: systemClock }).scan()
    const contents = new Map<string, Uint8Array>()
    for (const { path } of tree.files) contents.set(path, await tree.read(path))
    const kept = {
      files: tree.files,
      read: async (path: string) => await Promise.resolve(contents.get(path) ?? none()),
    }
    return {
      number,
      tree: kept,
      requests,
      manifest: { format: 1, kind: 'geoserver', files: tree.files, active: {}, removed: {} },
    }
  }

  /** Digests by key. */
  async digests(): Promise<Readonly<Record<string, string>>> {
    const tree = await new DataDirectory({ path: this.directory, overlay: new Overlay(), clock: systemClock }).scan()
    return Object.fromEntries([...tree.catalog.entries.values()].map(({ key, digest }) => [key, digest]))
  }

  async rest(
    method: string,
    path: string,
    body?: string,
    type = 'application/xml',
  ): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Basic ${btoa(`admin:${PASSWORD}`)}`, 'content-type': type },
      ...(body !== undefined && { body }),
    })
    const text = await answer.text()
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return { status: answer.status, text }
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), 'utf8')
  }

  has(path: string): boolean {
    return existsSync(join(this.directory, path))
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true })
    writeFileSync(join(this.directory, path), content)
  }

  /** What a checkout of it would have. */
  copyTo(folder: string): void {
    cpSync(this.directory, folder, { recursive: true })
  }

  remove(path: string): void {
    rmSync(join(this.directory, path), { recursive: true })
  }
}

function none(): never {
  throw new Error('no such file in the release')
}
