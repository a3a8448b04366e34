import { isSafePath } from '../../../lib/safe-path.ts'
import type { FileClass, LeftOut, ObjectKind } from './model.ts'

/** What a path is. `object` and `tile-layer` say which kind of object the file defines. */
export type Place =
  | { readonly class: 'object' | 'tile-layer'; readonly kind: ObjectKind; readonly leftOut?: undefined }
  | {
      readonly class: Exclude<FileClass, 'object' | 'tile-layer'>
      readonly kind?: undefined
      readonly leftOut?: undefined
    }
  | { readonly leftOut: LeftOut; readonly class?: undefined; readonly kind?: undefined }

/** What GeoServer and its modules a release was made with; written by Flotilla, and on no data directory's list. */
export const VERSIONS_FILE = 'flotilla-geoserver.json'

/**
 * What a path of a data directory, or of a release, is: forward slashes, relative to its root. What it is called decides,
 * nothing is read. What is not known to be configuration is `data`. Source: GeoServer's "Structure of the data directory"
 * and `GeoServerDataDirectory`.
 */
export function classify(path: string): Place {
  if (!isSafePath(path)) return leftOut('unsafe')
  const parts = path.split('/')
  const name = parts.at(-1) ?? ''
  if (isTemporary(name)) return leftOut('temporary')
  if (parts.some((part) => part.startsWith('.')) || NODE_LOCAL_NAME.test(name)) return leftOut('node-local')
  if (isSecret(parts)) return leftOut('secret')
  const top = parts[0] ?? ''
  if (parts.length === 1) return ofRoot(name)
  if (NODE_LOCAL_FOLDERS.has(top)) return leftOut('node-local')
  if (/\.ftl$/i.test(name) && top !== 'data') return { class: 'template' }
  if (top === 'workspaces') return ofWorkspaces(parts.slice(1))
  if (top === 'styles') return ofStyles(parts.slice(1))
  if (top === 'layergroups') return parts.length === 2 && isXml(name) ? object('layergroup') : leftOut('data')
  if (top === 'security') return ofSecurity(parts.slice(1))
  if (top === 'gwc-layers') return parts.length === 2 && isXml(name) ? TILE_LAYER : leftOut('node-local')
  if (top === 'gwc') return ofTileCache(parts.slice(1))
  if (top === 'user_projections') return { class: 'reset-file' }
  if (top === 'monitoring') return /\.(?:properties|xml)$/i.test(name) ? { class: 'hot-file' } : leftOut('node-local')
  return HOT_FOLDERS.has(top) ? { class: 'hot-file' } : leftOut('data')
}

const TILE_LAYER: Place = { class: 'tile-layer', kind: 'tile-layer' }

/** `<name>.<uuid>.tmp` is written by GeoServer before it renames it; `.bak` and `.bak.N` are left by the deletion of a style. */
function isTemporary(name: string): boolean {
  return /(?:\.tmp|\.bak(?:\.\d+)?|\.part|\.sw[opx]|~)$|^(?:\.#|\.nfs|~\$|#)|^\.DS_Store$/i.test(name)
}

/** Logs, locks and databases that each node keeps for itself. */
const NODE_LOCAL_NAME =
  /\.log(?:[.-]\d[\d-]*)*(?:\.gz|\.zip)?$|\.lock$|\.(?:h2|mv|trace|lck)\.db$|\.lck$|^geoserver-environment\.properties$/i

const NODE_LOCAL_FOLDERS = new Set([
  'backup',
  'cluster',
  'hazelcast',
  'importer',
  'jdbcconfig',
  'jdbcstore',
  'logs',
  'temp',
  'tmp',
  'wps-cache',
])

/** Each node would make its own on its first start, and could then not read what another encrypted. */
function isSecret(parts: readonly string[]): boolean {
  if (parts[0]?.toLowerCase() !== 'security') return false
  if (/^masterpw/i.test(parts[1] ?? '')) return true
  return /\.(?:jceks|jks|keystore|p12|pfx|key|pem)$/i.test(parts.at(-1) ?? '')
}

/** Services of GeoServer and of its modules, each of which has its settings in a file of its name. */
const SERVICES = /^(?:wms|wfs|wcs|wmts|wps|csw|wcps|sos|cas|hello|oseo|features|maps|tiles|styles|coverages|dggs)\.xml$/

const HOT_FOLDERS = new Set([
  'demo',
  'demorequests',
  'fonts',
  'images',
  'layouts',
  'palettes',
  'params-extractor',
  'printing',
  'scripts',
  'templates',
  'validation',
  'www',
])

function ofRoot(name: string): Place {
  if (name === 'global.xml') return object('global')
  if (name === 'logging.xml') return object('logging')
  if (name === 'gwc-gs.xml') return { class: 'tile-config' }
  if (SERVICES.test(name)) return object('service')
  if (name === VERSIONS_FILE) return leftOut('node-local')
  if (/\.ftl$/i.test(name)) return { class: 'template' }
  return /\.(?:xml|properties|json|ya?ml)$/i.test(name) ? { class: 'hot-file' } : leftOut('data')
}

/** `parts` begins with what lies in `workspaces`. */
function ofWorkspaces(parts: readonly string[]): Place {
  const [first = '', second = '', third = ''] = parts
  if (parts.length === 1) return first === 'default.xml' ? object('default-workspace') : leftOut('data')
  if (second === 'styles' && parts.length > 2) return ofStyles(parts.slice(2))
  if (second === 'layergroups' && parts.length > 2) {
    return parts.length === 3 && isXml(third) ? object('layergroup') : leftOut('data')
  }
  if (parts.length === 2) {
    const kind = IN_WORKSPACE.get(second)
    if (kind !== undefined) return object(kind)
    if (SERVICES.test(second)) return object('service')
  }
  const kind = (parts.length === 3 ? IN_STORE : parts.length === 4 ? IN_LAYER : undefined)?.get(parts.at(-1) ?? '')
  if (kind !== undefined) return object(kind)
  return /\.(?:properties|xml|xsd)$/i.test(parts.at(-1) ?? '') ? { class: 'reset-file' } : leftOut('data')
}

const IN_WORKSPACE = new Map<string, ObjectKind>([
  ['workspace.xml', 'workspace'],
  ['namespace.xml', 'namespace'],
  ['settings.xml', 'workspace-settings'],
])
const IN_STORE = new Map<string, ObjectKind>([
  ['datastore.xml', 'datastore'],
  ['coveragestore.xml', 'coveragestore'],
  ['wmsstore.xml', 'wmsstore'],
  ['wmtsstore.xml', 'wmtsstore'],
])
const IN_LAYER = new Map<string, ObjectKind>([
  ['featuretype.xml', 'featuretype'],
  ['coverage.xml', 'coverage'],
  ['wmslayer.xml', 'wmslayer'],
  ['wmtslayer.xml', 'wmtslayer'],
  ['layer.xml', 'layer'],
])

/** `parts` begins with what lies in a `styles` folder: only directly in it are styles, anything deeper is for them to use. */
function ofStyles(parts: readonly string[]): Place {
  const name = parts.at(-1) ?? ''
  if (parts.length === 1 && isXml(name)) return object('style')
  return /\.(?:sld|css|json|mbstyle|ysld|ya?ml)$/i.test(name) ? { class: 'style-body' } : { class: 'graphic' }
}

/** `parts` begins with what lies in `security`. */
function ofSecurity(parts: readonly string[]): Place {
  const [first = ''] = parts
  const name = parts.at(-1) ?? ''
  if (first === 'version.properties') return leftOut('node-local')
  if (parts.length === 1 && /\.properties$/i.test(name)) return { class: 'access' }
  // facts: GeoServer's URLCheckDAO and its services of users and roles watch their files.
  const isWatched = ['usergroup', 'role', 'urlchecks.xml'].includes(first) && isXml(name) && name !== 'config.xml'
  return isWatched ? { class: 'access' } : { class: 'security' }
}

/** `parts` begins with what lies in `gwc`: tiles, but for a few files. */
function ofTileCache(parts: readonly string[]): Place {
  const isConfig = parts.length === 1 && /^geowebcache(?:-diskquota[\w-]*)?\.xml$/i.test(parts[0] ?? '')
  return isConfig ? { class: 'tile-config' } : leftOut('node-local')
}

function isXml(name: string): boolean {
  return /\.xml$/i.test(name)
}

function object(kind: ObjectKind): Place {
  return { class: 'object', kind }
}

function leftOut(why: LeftOut): Place {
  return { leftOut: why }
}
