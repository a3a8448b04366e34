import type { ObjectKind } from '../definition/model.ts'
import { hasDots, nameIn, splitKey, spoken } from '../definition/names.ts'

/** Where REST has one object. Paths are below the address of GeoServer, encoded. */
export interface Endpoint {
  /** POST here when it is absent. Without, PUT at `item` makes it as well, or it is made with another object. */
  readonly collection?: string
  /** GET and PUT. */
  readonly item: string
  /** What a DELETE adds; undefined where it cannot be deleted by itself. */
  readonly removal: string | undefined
}

const STORES = {
  datastore: 'datastores',
  coveragestore: 'coveragestores',
  wmsstore: 'wmsstores',
  wmtsstore: 'wmtsstores',
} as const

/** Kinds of what a store holds, with the kind of that store and the name of their collection in it. */
const RESOURCES = {
  featuretype: ['datastore', 'featuretypes'],
  coverage: ['coveragestore', 'coverages'],
  wmslayer: ['wmsstore', 'wmslayers'],
  wmtslayer: ['wmtsstore', 'layers'],
} as const

/** The core of GeoServer has these only; `wps` and `csw` answer 404 in 2.26. */
const SERVICES: ReadonlySet<string> = new Set(['wms', 'wfs', 'wcs', 'wmts'])

type Lookup = (key: string) => { readonly needs: readonly string[] } | undefined

/**
 * Where REST has that object; undefined where it has none. What lies in a store is found by the store that it needs.
 * facts: GeoServer's OpenAPI documents 1.0.0 (`layers`, `styles`, `datastores`, `owsservices` …), and `gwclayers` of GeoWebCache.
 */
export function endpointOf(key: string, entryOf: Lookup): Endpoint | undefined {
  const { kind, name: qualified } = splitKey(key)
  const { workspace, name } = nameIn(qualified)
  if (hasDots(key)) return undefined
  const within = workspace === undefined ? '/rest' : `/rest/workspaces/${part(workspace)}`
  switch (kind as ObjectKind) {
    case 'workspace':
      return crud('/rest/workspaces', name)
    case 'namespace':
      return crud('/rest/namespaces', name)
    case 'workspace-settings':
      return { item: `/rest/workspaces/${part(workspace ?? name)}/settings`, removal: '' }
    case 'service':
      return serviceEndpoint(workspace, name)
    case 'style':
      return crud(`${within}/styles`, name)
    case 'datastore':
    case 'coveragestore':
    case 'wmsstore':
    case 'wmtsstore':
      return crud(`${within}/${STORES[kind as keyof typeof STORES]}`, name)
    case 'featuretype':
    case 'coverage':
    case 'wmslayer':
    case 'wmtslayer':
      return resourceEndpoint(kind as keyof typeof RESOURCES, within, name, entryOf(key)?.needs ?? [])
    case 'layer':
      // It is made with what it publishes.
      return { item: `/rest/layers/${part(spoken(key))}`, removal: '' }
    case 'layergroup':
      return crud(`${within}/layergroups`, name)
    case 'tile-layer':
      return { item: `/gwc/rest/layers/${part(qualified)}.xml`, removal: '' }
    case 'default-workspace':
      return { item: '/rest/workspaces/default', removal: undefined }
    case 'global':
      return { item: '/rest/settings', removal: undefined }
    case 'logging':
      return { item: '/rest/logging', removal: undefined }
  }
  return undefined
}

function crud(collection: string, name: string): Endpoint {
  return { collection, item: `${collection}/${part(name)}`, removal: '' }
}

function serviceEndpoint(workspace: string | undefined, name: string): Endpoint | undefined {
  if (!SERVICES.has(name)) return undefined
  if (workspace === undefined) return { item: `/rest/services/${name}/settings`, removal: undefined }
  return { item: `/rest/services/${name}/workspaces/${part(workspace)}/settings`, removal: '' }
}

function resourceEndpoint(
  kind: keyof typeof RESOURCES,
  within: string,
  name: string,
  needs: readonly string[],
): Endpoint | undefined {
  const [storeKind, collection] = RESOURCES[kind]
  const store = needs.find((need) => need.startsWith(`${storeKind}/`))
  if (store === undefined || hasDots(store)) return undefined
  const storeName = nameIn(splitKey(store).name).name
  return crud(`${within}/${STORES[storeKind]}/${part(storeName)}/${collection}`, name)
}

function part(name: string): string {
  return encodeURIComponent(name).replaceAll('%3A', ':')
}
