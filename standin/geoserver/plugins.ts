import type { Kind } from './kinds.ts'
import { type Element, textAt } from './xml.ts'

/** What an object says of itself → the plug-in that it needs. */
const STYLE_FORMATS: Readonly<Record<string, string>> = { css: 'gs-css', ysld: 'gs-ysld', mbstyle: 'gs-mbstyle' }
const STORE_TYPES: Readonly<Record<string, string>> = {
  NetCDF: 'gs-netcdf',
  GRIB: 'gs-grib',
  MongoDB: 'gs-mongodb',
  Elasticsearch: 'gs-elasticsearch',
  'Microsoft SQL Server': 'gs-sqlserver',
  'Oracle NG': 'gs-oracle',
  ImagePyramid: 'gs-pyramid',
}

/** Why an object cannot be: the plug-in is missing. Undefined when it can. */
export function pluginFor(kind: Kind, xml: Element, modules: readonly string[]): string | undefined {
  const needed = kind === 'style' ? STYLE_FORMATS[textAt(xml, 'format') ?? ''] : STORE_TYPES[textAt(xml, 'type') ?? '']
  if (needed === undefined || modules.includes(needed)) return undefined
  return kind === 'style'
    ? `No such style handler: format = ${textAt(xml, 'format')}`
    : `Could not find a factory for the type ${textAt(xml, 'type')}`
}
