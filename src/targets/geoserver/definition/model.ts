import type { Problem } from '../../../core/problem.ts'

/**
 * What a path of a data directory is to Flotilla. Which paths these are: `classify.ts`.
 *
 * - `object`: XML of the catalog, a service or the settings; read by GeoServer at start and reload, changed live over REST.
 * - `style-body`: what a style says (SLD, CSS, MBStyle, YSLD). Changed over REST, which truncates the tiles as well.
 * - `graphic`: any other file under a `styles` folder, fonts too. Placed; GeoServer keeps the old one until `reset`.
 * - `template`: FreeMarker. Placed; hot in a second.
 * - `tile-layer`: one file of `gwc-layers`. Known by the name in it, for the file's own name is made of an id.
 * - `tile-config`: the other settings of GeoWebCache. Placed, then `gwc/rest/reload`.
 * - `access`: users, groups, roles and access rules, which GeoServer reads again by itself.
 * - `security`: the rest of `security`: REST where there is such a path, otherwise a reload.
 * - `reset-file`: placed, seen after `reset`: projections, property files beside stores.
 * - `hot-file`: placed, read at each use: palettes, layouts, `www`.
 */
export const FILE_CLASSES = [
  'object',
  'style-body',
  'graphic',
  'template',
  'tile-layer',
  'tile-config',
  'access',
  'security',
  'reset-file',
  'hot-file',
] as const

export type FileClass = (typeof FILE_CLASSES)[number]

/**
 * Paths that never enter a release: `secret` ones travel only when a node joins; `data` belongs to the files part; `unsafe`
 * ones cannot be carried to every node, or lead out of the directory.
 */
export type LeftOut = 'secret' | 'data' | 'node-local' | 'temporary' | 'unsafe'

/** The kinds of catalog objects, in the order in which they are made; taken away in the opposite one. */
export const OBJECT_KINDS = [
  'workspace',
  'namespace',
  'workspace-settings',
  'service',
  'style',
  'datastore',
  'coveragestore',
  'wmsstore',
  'wmtsstore',
  'featuretype',
  'coverage',
  'wmslayer',
  'wmtslayer',
  'layer',
  'layergroup',
  'tile-layer',
  'default-workspace',
  'global',
  'logging',
] as const

export type ObjectKind = (typeof OBJECT_KINDS)[number]

/**
 * One file in its portable form: what a release holds of it. Equal for two nodes that serve the same, whatever ids each
 * made for its objects: an id of another object is its name (`topp:states`), its own id is left out, as are
 * `updateSequence`, `dateCreated`, `dateModified`, `modifiedBy`, and what the overlay keeps to each node.
 */
export interface CatalogEntry {
  /** Path in the release. Like the one on disk but for tile layers: `gwc-layers/<name, percent-encoded>.xml`. */
  readonly path: string
  readonly class: FileClass
  /**
   * `<kind>/<ws:name>` of an object, such as `layer/topp:states` or, without a workspace, `style/burg`; `workspace/topp`,
   * `namespace/topp`, `workspace-settings/topp`, `service/wms`, `service/topp:wms`, `default-workspace/default`,
   * `global/global`, `logging/logging`; otherwise `file/<path>`. A `:` or `%` in a name is percent-encoded.
   */
  readonly key: string
  readonly size: number
  /** Lower-case hex SHA-256 of the portable bytes. */
  readonly sha256: string
  /**
   * Lower-case hex SHA-256 of what counts when two are compared: values encrypted with a random salt (`crypt1:`,
   * `crypt2:`) and elements that only some versions write with their default are not in it.
   */
  readonly digest: string
  /** SHA-256 of each encrypted value, in order: another one may be another password, or only another salt. */
  readonly encrypted: readonly string[]
  /** Keys of what it refers to: these must be there before it, and may go only after it. */
  readonly needs: readonly string[]
  /** Data that it says it reads, as in the XML (`file:data/shapefiles/states.shp`). */
  readonly data: readonly string[]
}

/** A data directory, or a release, as a whole. Entries are sorted by path, keys are unique. */
export interface Catalog {
  readonly entries: ReadonlyMap<string, CatalogEntry>
  /** Half-written or malformed files, ids that nothing has, keys that occur twice: what is named there is in no entry. */
  readonly problems: readonly Problem[]
}
