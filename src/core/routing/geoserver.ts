import type { Query } from './target.ts'

/*
 * GeoServer: `workspace:layer`, or only the one of them that a request names. facts: GeoServer's manual, "Virtual
 * Services", and the key-value parameters of WMS, WFS, WCS and WMTS; names of parameters in any case, first of a list.
 */

/** The first of these that holds a name counts. A request has one of them, as a rule. */
export const GEOSERVER_PARAMETERS = [
  'identifiers',
  'identifier',
  'coverage',
  'coverageid',
  'typename',
  'typenames',
  'layer',
  'layers',
  'query_layers',
] as const

/** First parts of a path that are no workspace. */
export const GEOSERVER_SERVICES = [
  'gwc',
  'ogc',
  'rest',
  'web',
  'wms',
  'wfs',
  'wcs',
  'wps',
  'ows',
  'kml',
  'www',
  'styles',
  'openlayers',
  'openlayers3',
] as const

/** Pages of people and of administration: of no layer, whatever their parameters say. */
export const GEOSERVER_ADMINISTRATION = '(?:rest|web|j_spring[^/]*|gwc/rest)(?:/.*)?'

/** Where the path itself names the layer; group 1. WMTS by path, TMS, OGC API. */
export const GEOSERVER_LAYER_FORMS = [
  '(?:[^/]+/)?gwc/service/wmts/rest/([^/]+)/.*',
  '(?:[^/]+/)?gwc/service/tms/1\\.0\\.0/([^@/]+)[@/].*',
  '(?:[^/]+/)?ogc/[^/]+(?:/v1)?/collections/([^/]+)(?:/.*)?',
] as const

/** Services of one workspace, and of one layer in it: `topp/wms`, `topp/states/ows`. */
export const GEOSERVER_WORKSPACE = '([^/]+)/(?:wms|wfs|wcs|wps|ows|gwc|ogc)(?:/.*)?'
export const GEOSERVER_WORKSPACE_LAYER = '([^/]+)/([^/]+)/(?:wms|wfs|wcs|wps|ows)(?:/.*)?'

const whole = (form: string): RegExp => new RegExp(`^${form}$`, 's')
const ADMINISTRATION = whole(GEOSERVER_ADMINISTRATION)
const LAYER_FORMS = GEOSERVER_LAYER_FORMS.map((form) => whole(form))
const WORKSPACE = whole(GEOSERVER_WORKSPACE)
const WORKSPACE_LAYER = whole(GEOSERVER_WORKSPACE_LAYER)
const SERVICES: ReadonlySet<string> = new Set(GEOSERVER_SERVICES)
const NAME = /^[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)?$/

export function geoserverKey(rest: string, query: Query): string | undefined {
  if (ADMINISTRATION.test(rest)) return undefined
  const [workspace, own] = virtualService(rest)
  const layer = layerInPath(rest) ?? layerInQuery(query)
  if (layer?.includes(':') === true) return layer
  const name = own ?? layer
  if (workspace === undefined) return name
  return name === undefined ? workspace : `${workspace}:${name}`
}

function virtualService(rest: string): readonly [workspace?: string, layer?: string] {
  const [, workspace, layer] = WORKSPACE.exec(rest) ?? WORKSPACE_LAYER.exec(rest) ?? []
  if (workspace === undefined || SERVICES.has(workspace) || !NAME.test(workspace)) return []
  return layer === undefined || !NAME.test(layer) ? [workspace] : [workspace, layer]
}

function layerInPath(rest: string): string | undefined {
  for (const form of LAYER_FORMS) {
    const layer = form.exec(rest)?.[1]
    if (layer !== undefined && NAME.test(layer)) return layer
  }
  return undefined
}

function layerInQuery(query: Query): string | undefined {
  for (const parameter of GEOSERVER_PARAMETERS) {
    const first = /^\(?([^,()]+)/.exec(query(parameter) ?? '')?.[1]
    // WCS 2 has no colon in its names: GeoServer writes two underscores.
    const layer = parameter === 'coverageid' ? first?.replace(/^([^:]+?)__/, '$1:') : first
    if (layer !== undefined && NAME.test(layer)) return layer
  }
  return undefined
}
