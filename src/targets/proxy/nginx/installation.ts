import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { FlotillaError, isError } from '../../../core/errors.ts'
import { writeAtomic } from '../../../lib/atomic-file.ts'
import { makeFolder } from '../../../lib/make-folder.ts'
import type { NginxConfig } from './config.ts'
import { type Ran, run } from './program.ts'
import { acceptingWorkers, type Status, StatusClient } from './status.ts'
import { TABLE } from './table-text.ts'

type Workers = Awaited<ReturnType<typeof acceptingWorkers>>

export type Files = ReadonlyMap<string, string>

/** How long a reload may take to show. */
const RELOAD_MS = 15_000
const LOOK_MS = 20
/** How long only the new workers must have answered, where their processes cannot be looked at. */
const SETTLED_MS = 500
/** A copy of what was last in force, for the agent that is started after one that was killed half way. */
const LAST_GOOD = 'last-good'

/** The files that nginx reads when it reloads: judged, put in place, in force, or back to what was there. */
export class Installation {
  readonly status: StatusClient
  readonly #config: NginxConfig
  readonly #clock: Clock
  #reloadedMs = Number.NEGATIVE_INFINITY

  constructor(config: NginxConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
    this.status = new StatusClient(config.control)
  }

  /** Lets nginx judge a configuration that `make` renders for a folder of its own. Rejects with `PROXY_REFUSED`. */
  async judge(make: (folder: string) => string, signal?: AbortSignal): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-nginx-'))
    try {
      const path = join(folder, 'nginx.conf')
      await writeAtomic(path, make(folder))
      await this.#test(['-c', path], folder, signal)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async holds(files: Files): Promise<boolean> {
    const found = await this.#read('', files.keys())
    return [...files].every(([path, text]) => found.get(path) === text)
  }

  /**
   * Puts files in place that were judged, and has nginx take them. Rejects with `PROXY_REFUSED` when it does not: what was
   * in force before is then there again. Rejects with `UNREACHABLE` when no nginx answers that has them: they stay,
   * and are what it starts with.
   */
  async install(files: Files, version: string, signal?: AbortSignal): Promise<void> {
    const before = await this.status.ask(signal)
    await this.#keepLastGood(files, before)
    const waitMs = this.#reloadedMs + this.#config.reloadEveryMs - this.#clock.monotonicMs()
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
    await this.#write('', files)
    try {
      await this.#test(this.#main(), undefined, signal)
    } catch (error) {
      await this.#goBack(files)
      throw error
    }
    try {
      await this.#reload(version, before, signal)
    } catch (error) {
      if (isError(error, 'PROXY_REFUSED')) {
        await this.#goBack(files)
        // It may have begun to take them.
        await this.#runReload(signal)
      }
      throw error
    }
  }

  async writeTable(text: string): Promise<'changed' | 'unchanged'> {
    const path = join(this.#config.folder, TABLE)
    await makeFolder(this.#config.folder, 0o755)
    const written = await writeAtomic(path, text)
    // Workers read it, with fewer rights than the agent and whatever its umask is.
    if (written === 'changed') await chmod(path, 0o644)
    return written
  }

  async readTable(): Promise<string | undefined> {
    return (await this.#read('', [TABLE])).get(TABLE)
  }

  async #reload(version: string, before: Status | undefined, signal?: AbortSignal): Promise<void> {
    const old = before === undefined ? undefined : await acceptingWorkers(before.pid)
    const { code, said } = await this.#runReload(signal)
    if (code === 0 && (await this.#isInForce(version, old, signal))) return
    const what = code === 0 ? 'nginx did not take its new configuration' : `the reload failed: ${said}`
    if (before !== undefined && (await this.status.ask(signal)) !== undefined) {
      throw new FlotillaError('PROXY_REFUSED', `${what}; its error log says why`)
    }
    throw new FlotillaError('UNREACHABLE', `no nginx with these files answers at ${this.#config.control}: ${what}`, {
      hint: this.#hint(),
    })
  }

  async #runReload(signal?: AbortSignal): Promise<Ran> {
    const { nginx, reload } = this.#config
    this.#reloadedMs = this.#clock.monotonicMs()
    return reload === undefined
      ? await run(nginx, [...this.#main(), '-s', 'reload'], signal)
      : await run(reload, [], signal)
  }

  /** Whether only workers with that configuration take connections from now on. */
  async #isInForce(version: string, old: Workers, signal?: AbortSignal): Promise<boolean> {
    const beganMs = this.#clock.monotonicMs()
    let sinceMs: number | undefined
    while (this.#clock.monotonicMs() < beganMs + RELOAD_MS) {
      const now = await this.status.ask(signal)
      if (now?.config === version) sinceMs ??= this.#clock.monotonicMs()
      else sinceMs = undefined
      const accepting = now === undefined ? undefined : await acceptingWorkers(now.pid)
      await this.#clock.sleep(LOOK_MS, signal)
      if (sinceMs === undefined) continue
      const isKnown = old !== undefined && accepting !== undefined
      if (isKnown ? ![...old].some((pid) => accepting.has(pid)) : this.#clock.monotonicMs() - sinceMs >= SETTLED_MS)
        return true
    }
    return false
  }

  async #keepLastGood(files: Files, running: Status | undefined): Promise<void> {
    const found = await this.#read('', files.keys())
    const isInForce = running !== undefined && [...found.values()].join('').includes(running.config)
    if (isInForce) await this.#write(LAST_GOOD, found)
  }

  async #goBack(files: Files): Promise<void> {
    const good = await this.#read(LAST_GOOD, files.keys())
    await this.#write('', good)
    const never = [...files.keys()].filter((path) => !good.has(path))
    for (const path of never) await rm(join(this.#config.folder, path), { force: true })
  }

  async #test(more: readonly string[], folder?: string, signal?: AbortSignal): Promise<void> {
    const { code, said } = await run(this.#config.nginx, [...more, '-t', '-q'], signal)
    if (code === 0) return
    const words = folder === undefined ? said : said.replaceAll(folder, this.#config.folder)
    const hint = /unknown directive "lua_/.test(said)
      ? 'Install nginx’s Lua module (libnginx-mod-http-lua on Debian), or set `lua` to false.'
      : undefined
    throw new FlotillaError('PROXY_REFUSED', `nginx refuses its configuration: ${words}`, { hint })
  }

  #main(): readonly string[] {
    const { listen, main, folder } = this.#config
    const path = listen === undefined ? main : join(folder, 'nginx.conf')
    return path === undefined ? [] : ['-c', path]
  }

  #hint(): string {
    const { listen, folder } = this.#config
    if (listen !== undefined) return `Start it with -c ${folder}/nginx.conf; it finds its configuration there.`
    return `Start nginx, and see that it includes ${folder}/http/*.conf in http { } and ${folder}/server/*.conf in server { }.`
  }

  async #read(below: string, paths: Iterable<string>): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (const path of paths) {
      const text = await readFile(join(this.#config.folder, below, path), 'utf8').catch(() => undefined)
      if (text !== undefined) found.set(path, text)
    }
    return found
  }

  async #write(below: string, files: Files): Promise<void> {
    for (const [path, text] of files) {
      const whole = join(this.#config.folder, below, path)
      await makeFolder(dirname(whole), 0o755)
      await writeAtomic(whole, text)
    }
  }
}
