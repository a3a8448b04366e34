import { FlotillaError } from '../errors.ts'
import type { Selection, Verdict } from './selection.ts'
import { chunkOf, isWithin, type TimeSpan, yearOf } from './times.ts'

/** One server's part of a command line of `openmeteo-api sync`. */
export interface ModelSet {
  readonly domains: readonly string[]
  readonly variables: readonly string[]
}

/** What a model publishes about its chunks, in its `static/meta.json`. */
export interface ChunkTimes {
  /** Steps of time in a chunk. */
  readonly chunkLength: number
  readonly stepSeconds: number
}

const NAME = /^[A-Za-z0-9_-]+$/

/**
 * `a,b;c` and `x;y` for two servers: sets are separated by semicolons, and one set of variables serves all.
 * Throws `USAGE` where the counts do not agree. Source: SyncCommand.swift of open-meteo.
 */
export function modelSets(domains: string, variables: string, servers: number): readonly ModelSet[] {
  const domainSets = sets(domains, 'domain')
  const variableSets = sets(variables, 'variable')
  if (domainSets.length !== servers) {
    throw new FlotillaError('USAGE', `there are ${servers} servers, but ${domainSets.length} sets of domains`, {
      hint: 'Separate the sets by semicolons, one for each server.',
    })
  }
  if (variableSets.length !== 1 && variableSets.length !== servers) {
    throw new FlotillaError('USAGE', `there are ${servers} servers, but ${variableSets.length} sets of variables`, {
      hint: 'Give one set for all servers, or one for each, separated by semicolons.',
    })
  }
  return domainSets.map((set, index) => ({ domains: set, variables: variableSets[index] ?? variableSets[0] ?? [] }))
}

function sets(text: string, what: string): readonly (readonly string[])[] {
  return text.split(';').map((set) => {
    const names = set
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
    const bad = names.find((name) => !NAME.test(name))
    if (bad !== undefined) throw new FlotillaError('USAGE', `"${bad}" is no name of a ${what}`)
    if (names.length === 0) throw new FlotillaError('USAGE', `a set of ${what}s is empty`)
    return names
  })
}

/** The key of what a model tells about itself. */
export function metaKey(domain: string): string {
  return `${domain}/static/meta.json`
}

/** Undefined where it does not say it. */
export function chunkTimes(metaJson: string): ChunkTimes | undefined {
  try {
    const { chunk_time_length: chunkLength, temporal_resolution_seconds: stepSeconds } = JSON.parse(metaJson) as Record<
      string,
      unknown
    >
    return isCount(chunkLength) && isCount(stepSeconds) ? { chunkLength, stepSeconds } : undefined
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 1e9
}

interface OpenMeteoOptions extends ModelSet {
  readonly span: TimeSpan
  /** By domain, of those that tell it. Without it chunks are chosen by the time of their last change. */
  readonly chunks: ReadonlyMap<string, ChunkTimes>
  /** The day, of those since 1970, and on which one pressure levels came last. */
  readonly day: number
  readonly pressureDay: string | undefined
}

/** Remembered: the day on which pressure levels were brought over. */
export const PRESSURE_DAY = 'pressure-day'

/** The files that `openmeteo-api sync` would want; keys are `<domain>/<variable>/<file>`. */
export function selectModels(options: OpenMeteoOptions): Selection {
  const { domains, variables, span, chunks, day, pressureDay } = options
  const wanted = new Set(domains)
  const isPressureDue = pressureDay !== String(day)
  const oncePerDay = variables.includes('really_download_all_but_pressure_once_per_day')
  const takes = (variable: string): boolean => takesVariable(variables, variable)
  const covers = (key: string): boolean => {
    const [domain = '', variable = '', name, more] = key.split('/')
    return name !== undefined && more === undefined && wanted.has(domain) && takes(variable) && isKnownName(key)
  }
  const judge = (entry: { readonly key: string; readonly modifiedMs: number }): Verdict => {
    const [domain = '', variable = ''] = entry.key.split('/')
    const byName = oncePerDay && !isPressureDue && isPressure(variable) && !namesVariable(variables, variable)
    if (byName) return 'later'
    return isOfTime(entry, chunks.get(domain), span) ? 'wanted' : 'unwanted'
  }
  return {
    scope: {
      prefixes: domains.map((domain) => `${domain}/`),
      enters: (folder) => {
        const [domain = '', variable = '', deeper] = folder.split('/')
        return wanted.has(domain) && (variable === '' || (takes(variable) && (deeper ?? '') === ''))
      },
    },
    covers,
    judge,
    fingerprint: JSON.stringify([domains, variables, span.name, [...chunks], oncePerDay && isPressureDue]),
    ...(oncePerDay && isPressureDue && { remember: { [PRESSURE_DAY]: String(day) } }),
  }
}

const isPressure = (variable: string): boolean => variable.includes('hPa')
const isPreviousDay = (variable: string): boolean => variable.includes('_previous_day')

function namesVariable(variables: readonly string[], variable: string): boolean {
  return variables.includes(variable)
}

/** With the words that stand for many variables. Source: SyncCommand.swift of open-meteo. */
function takesVariable(variables: readonly string[], variable: string): boolean {
  if (variable === 'static' || namesVariable(variables, variable)) return true
  const has = (word: string): boolean => variables.includes(`really_download_all_${word}`)
  if (has('variables') || has('but_pressure_once_per_day')) return true
  if (isPressure(variable)) return has('pressure_levels')
  if (isPreviousDay(variable)) return has('previous_day')
  return has('surface_levels') || (has('previous_day') && PREVIOUS_DAY.has(variable))
}

const isKnownName = (key: string): boolean =>
  key.includes('/static/') ||
  /\/(?:master_|linear_bias_seasonal|rolling)[^/]*$/.test(key) ||
  yearOf(key) !== undefined ||
  chunkOf(key) !== undefined

function isOfTime(
  { key, modifiedMs }: { readonly key: string; readonly modifiedMs: number },
  times: ChunkTimes | undefined,
  span: TimeSpan,
): boolean {
  if (key.includes('/static/')) return true
  const year = yearOf(key)
  if (year !== undefined) return isWithin(year, span)
  const chunk = chunkOf(key)
  if (chunk === undefined) return true
  if (times === undefined) return modifiedMs >= span.startMs
  const chunkMs = times.chunkLength * times.stepSeconds * 1000
  return isWithin({ startMs: chunk * chunkMs, endMs: (chunk + 1) * chunkMs }, span)
}

/** What `really_download_all_previous_day` brings besides the variables of previous days. Source: SyncCommand.swift of open-meteo. */
const PREVIOUS_DAY = new Set(
  [
    'temperature_2m dew_point_2m relative_humidity_2m precipitation snowfall_water_equivalent snowfall pressure_msl',
    'frozen_precipitation_percent cloud_cover showers weather_code cape shortwave_radiation direct_radiation',
    'diffuse_radiation lifted_index wind_gusts_10m',
    ...[10, 70, 80, 100, 120, 180].map((metres) => `wind_u_component_${metres}m wind_v_component_${metres}m`),
    ...[10, 80, 120, 180].map((metres) => `wind_speed_${metres}m wind_direction_${metres}m`),
  ].flatMap((names) => names.split(' ')),
)
