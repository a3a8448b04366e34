import { resolve } from 'node:path'
import type { SyncSpec, Wanted } from '../app/sync.ts'
import { FlotillaError } from '../core/errors.ts'
import { parseBandwidth } from '../core/sync/bandwidth.ts'
import { glob } from '../core/sync/glob.ts'
import { parseDeleteMax } from '../core/sync/guard.ts'
import { modelSets } from '../core/sync/open-meteo.ts'
import { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import type { Input } from './command.ts'
import type { Context } from './context.ts'
import type { SYNC_OPTIONS } from './sync-options.ts'

export type SyncOptions = Input<typeof SYNC_OPTIONS>['options']

export interface SyncArgs {
  readonly DOMAINS: string | undefined
  readonly VARIABLES: string | undefined
}

/** facts: the default of `openmeteo-api sync`. */
const OPEN_METEO = 'https://openmeteo.s3.amazonaws.com/'
const PAST_DAYS = 7
const DATA = 'data'
const MINUTE_MS = 60_000
/** An interval of nothing is not meant to ask without a pause. */
const LEAST_MS = 1000
const CONCURRENT = 4
const MEGABYTE = 1024 * 1024

/** What a command line and the environment ask for; the line comes first. Throws `USAGE`. */
export class SyncPlan {
  readonly #options: SyncOptions
  readonly #args: SyncArgs
  readonly #context: Context

  constructor(options: SyncOptions, args: SyncArgs, context: Context) {
    this.#options = options
    this.#args = args
    this.#context = context
  }

  /** As systemd's unit for Open-Meteo has it: only what says no counts. */
  get isEnabled(): boolean {
    return !['false', '0', 'no'].includes((this.#context.env['SYNC_ENABLED'] ?? '').trim().toLowerCase())
  }

  /** Undefined: once. */
  get repeatMs(): number | undefined {
    const minutes = this.#number(this.#options.repeatInterval, 'SYNC_REPEAT_INTERVAL')
    return minutes === undefined ? undefined : Math.max(LEAST_MS, minutes * MINUTE_MS)
  }

  get manner() {
    const { bwlimit, rate, deleteMax, verify, checksum, dryRun, group, keep, delete: deletes } = this.#options
    const bandwidth = bwlimit ?? (rate === undefined || rate === '0' ? undefined : String(Number(rate) * MEGABYTE))
    return {
      deletes,
      // Hashes are to be compared of all that is here, not only of what shows another time.
      verify: verify || checksum,
      groups: group.map(glob),
      keepGenerations: { keep: Number(keep), minAgeMs: MINUTE_MS },
      checksum,
      dryRun,
      deleteMax: deleteMax === undefined ? undefined : parseDeleteMax(deleteMax),
      bandwidth: bandwidth === undefined ? undefined : parseBandwidth(bandwidth),
      concurrent: this.#concurrent,
    }
  }

  async specs(): Promise<readonly SyncSpec[]> {
    const { domains, variables } = this.#models
    const apikey = await this.#apikey()
    const s3 = await this.#s3()
    if (domains === undefined) {
      const from = this.#options.from.map((one) => this.#place(one))
      if (from.length === 0) throw usage('where from? --from is missing', 'Give --from URL|DIR, or DOMAINS VARIABLES.')
      if (this.#options.to === undefined) throw usage('where to? --to is missing', 'Add --to DIR.')
      return [{ from, to: this.#folder(this.#options.to), what: this.#generic, apikey, s3 }]
    }
    if (domains.includes('/')) {
      throw usage(`"${domains}" is no list of models`, `For what is no model: flotilla sync --from ${domains} --to DIR`)
    }
    if (variables === undefined) throw usage('VARIABLES are missing', 'Write for example: dwd_icon temperature_2m')
    const to = this.#folder(this.#options.to ?? this.#env('DATA_DIRECTORY') ?? DATA)
    const servers = this.#servers
    return modelSets(domains, variables, servers.length).map((models, index) => {
      const what: Wanted = { models, days: this.#days, years: this.#years }
      return { from: servers[index] ?? [], to, what, apikey, s3 }
    })
  }

  get #models(): { readonly domains: string | undefined; readonly variables: string | undefined } {
    const { DOMAINS, VARIABLES } = this.#args
    // Whoever names another source means that, whatever the environment holds for models.
    const fromEnv = this.#options.from.length === 0
    return {
      domains: DOMAINS ?? (fromEnv ? this.#env('SYNC_DOMAINS') : undefined),
      variables: VARIABLES ?? (fromEnv ? this.#env('SYNC_VARIABLES') : undefined),
    }
  }

  /** For each set of models, where they may come from. */
  get #servers(): readonly (readonly string[])[] {
    const { from, server } = this.#options
    if (from.length > 0) return [from.map((one) => this.#place(one))]
    const named = server ?? this.#env('SYNC_SERVER') ?? OPEN_METEO
    return named
      .split(';')
      .filter((one) => one !== '')
      .map((one) => [this.#place(one)])
  }

  get #generic(): Wanted {
    const { prefix, include, exclude, newest, pastDays } = this.#options
    const count = newest === undefined ? undefined : Number(newest.slice(0, -1))
    return {
      prefixes: prefix,
      include: include.map(glob),
      exclude: exclude.map(glob),
      days: newest?.endsWith('d') === true ? count : pastDays === undefined ? undefined : Number(pastDays),
      newestChunks: newest?.endsWith('c') === true ? count : undefined,
    }
  }

  get #days(): number {
    const { newest, pastDays } = this.#options
    return this.#number(newest?.replace(/[dc]$/, '') ?? pastDays, 'SYNC_PAST_DAYS') ?? PAST_DAYS
  }

  get #years(): readonly [number, number] | undefined {
    const [first, last] = this.#options.year?.split('-').map(Number) ?? []
    return first === undefined ? undefined : [first, last ?? first]
  }

  get #concurrent(): number | undefined {
    const files = this.#number(this.#options.concurrent, 'SYNC_CONCURRENT')
    const models = this.#number(this.#options.concurrentModels, 'SYNC_CONCURRENT_MODELS')
    return files === undefined && models === undefined ? undefined : Math.max(1, (files ?? CONCURRENT) * (models ?? 1))
  }

  async #apikey(): Promise<Secret | undefined> {
    const { apikey, apikeyFile } = this.#options
    if (apikeyFile !== undefined) return readSecretFile(resolve(this.#context.cwd, apikeyFile))
    const key = apikey ?? this.#env('SYNC_APIKEY')
    return key === undefined || key === '' ? undefined : new Secret(key)
  }

  async #s3(): Promise<SyncSpec['s3']> {
    const { s3Credentials } = this.#options
    if (s3Credentials === undefined) return undefined
    const { readS3Pair } = await import('../app/sync-sources.ts')
    return readS3Pair(resolve(this.#context.cwd, s3Credentials))
  }

  /** A URL as it is, a folder from the working folder. */
  #place(from: string): string {
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(from)) return from
    if (/^[\w.-]+:\d{1,5}(?:\/|$)/.test(from)) {
      throw usage(`"${from}" is no URL`, `Write http://${from}, or ./${from} if it is a folder.`)
    }
    return this.#folder(from)
  }

  /** An empty word is a variable of a script that is not set, and never the working folder. */
  #folder(text: string): string {
    if (text === '') throw usage('the name of a folder is empty', 'For the working folder write a dot.')
    return resolve(this.#context.cwd, text)
  }

  #number(option: string | undefined, variable: string): number | undefined {
    const text = option ?? this.#env(variable)
    if (text === undefined) return undefined
    if (/^\d{1,6}$/.test(text)) return Number(text)
    throw usage(`${variable} is "${text}", which is no whole number`)
  }

  /** Empty is not set, as in files of systemd. */
  #env(name: string): string | undefined {
    const text = this.#context.env[name]?.trim()
    return text === '' ? undefined : text
  }
}

function usage(message: string, hint?: string): FlotillaError {
  return new FlotillaError('USAGE', message, {
    hint: `${hint === undefined ? '' : `${hint} `}See flotilla sync --help`,
  })
}
