import { type Attribute, type Definition, readDefinition, type Variable } from './definition.ts'
import { isSoftAttribute, isTimeUnits } from './effects.ts'

export interface Expectation {
  /** Name of a variable as ERDDAP shows it, or `NC_GLOBAL`. */
  readonly variable: string
  readonly attribute: string
  readonly value: string
}

/**
 * What ERDDAP's /info/ID page must show once it serves `after`: text attributes that the definition sets and that ERDDAP
 * serves unchanged. With `before`, only those that differ. At most `limit`.
 */
export function expectations(before: Uint8Array | undefined, after: Uint8Array, limit = 20): readonly Expectation[] {
  const known = new Set(before === undefined ? [] : expected(readDefinition(before)).map(keyOf))
  return expected(readDefinition(after))
    .filter((expectation) => !known.has(keyOf(expectation)))
    .slice(0, limit)
}

function keyOf({ variable, attribute, value }: Expectation): string {
  return JSON.stringify([variable, attribute, value])
}

function expected({ attributes, variables }: Definition): readonly Expectation[] {
  return [
    ...shown('NC_GLOBAL', attributes, isRewrittenGlobal),
    ...variables
      .filter((variable) => !isRewrittenVariable(variable))
      .flatMap(({ name, attributes: own }) => shown(name, own, isAboutData)),
  ]
}

/** Texts in the default language that can be told from what ERDDAP puts in their place. The last of a name counts. */
function shown(
  variable: string,
  attributes: readonly Attribute[],
  isRewritten: (attribute: string) => boolean,
): readonly Expectation[] {
  const last = new Map<string, Attribute>()
  for (const attribute of attributes) if (attribute.language === '') last.set(attribute.name, attribute)
  return [...last.values()]
    .filter(({ name, type, value }) => type.toLowerCase() === 'string' && isPlain(value) && !isRewritten(name))
    .map(({ name, value }) => ({ variable, attribute: name, value }))
}

/** `null` removes an attribute; old web addresses and `[standard]` are replaced, and so may be `${…}`. */
function isPlain(value: string): boolean {
  return value !== '' && value !== 'null' && !/\$\{|http:\/\/|\[standard\]/.test(value)
}

/** Global attributes that ERDDAP sorts, corrects or works out (source: EDD.ensureValid, EDDTable, EDDGrid). */
const GLOBALS =
  /^(?:keywords|featureType|cdm_data_type|sourceUrl|default(?:Data|Graph)Query|date_.*|time_coverage_.*|geospatial_.*|.*(?:Easting|Northing))$/

function isRewrittenGlobal(attribute: string): boolean {
  return GLOBALS.test(attribute)
}

/** Attributes that describe values, which ERDDAP unpacks, converts or drops. */
function isAboutData(attribute: string): boolean {
  return !isSoftAttribute(attribute) || /^(?:actual_|data_|valid_|unpacked_valid_)(?:min|max|range)$/.test(attribute)
}

/** Coordinates, whose attributes ERDDAP sets itself (source: its EDVLon, EDVLat, EDVAlt, EDVDepth, EDVTimeStamp). */
const COORDINATES: ReadonlySet<string> = new Set(['longitude', 'latitude', 'altitude', 'depth', 'time'])

function isRewrittenVariable({ name, attributes }: Variable): boolean {
  if (COORDINATES.has(name) || name.startsWith('=')) return true
  return attributes.some((attribute) => attribute.name === 'units' && isTimeUnits(attribute.value))
}
