import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixedPort } from './fixed-port.ts'
import { MortalProcess } from './mortal-process.ts'

export interface HubProcessOptions {
  /** Where it keeps its data, and where the file lies by which its clock is set. */
  readonly folder: string
  readonly name: string
  /** `etcd://…`; a store of its own unless told. */
  readonly store?: string | undefined
  /** The library that sets its clock; without, its clock is that of the machine. */
  readonly faketime?: string | undefined
}

/** A hub as a process of its own, always at the same address, that a test kills, stops and sets to another time. */
export class HubProcess extends MortalProcess {
  readonly url: string
  readonly #options: HubProcessOptions

  private constructor(options: HubProcessOptions, port: number) {
    super()
    this.#options = options
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(options: HubProcessOptions): Promise<HubProcess> {
    const hub = new HubProcess(options, await fixedPort())
    mkdirSync(join(options.folder, options.name), { recursive: true })
    hub.setClock(0)
    await hub.restart()
    return hub
  }

  get token(): string {
    return readFileSync(this.tokenFile, 'utf8').trim()
  }

  get tokenFile(): string {
    return join(this.#options.folder, this.#options.name, 'data/admin.token')
  }

  /** Resolves when it listens. */
  async restart(): Promise<void> {
    const { folder, name, store, faketime } = this.#options
    const cwd = join(folder, name)
    const where = store === undefined ? [] : ['--store', store]
    const env = faketime === undefined ? {} : { LD_PRELOAD: faketime, ...this.#clockEnv() }
    const listen = new URL(this.url).host
    const program = this.launch(['up', '--data', join(cwd, 'data'), '--listen', listen, ...where], { cwd, env })
    await program.line(/^hub +(http:\S+)$/)
  }

  /** What its calendar shows from now on, against that of the machine. */
  setClock(offsetHours: number): void {
    writeFileSync(this.#clockFile, `${offsetHours < 0 ? '' : '+'}${offsetHours}h\n`)
  }

  get #clockFile(): string {
    return join(this.#options.folder, this.#options.name, 'clock')
  }

  #clockEnv(): Record<string, string> {
    // A machine's monotonic clock does not jump when its calendar is set.
    return { FAKETIME_TIMESTAMP_FILE: this.#clockFile, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  }
}
