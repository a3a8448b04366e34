import type { Item } from '../catalog.ts'
import { writeTileLayer } from '../gwc/default-layer.ts'
import { Refusal } from '../http.ts'
import type { ResourceKind } from '../kinds.ts'
import { fileOf } from '../places.ts'
import type { World } from '../world.ts'
import { child, copy, element, type Element, parseXml, setChild, setText, textAt } from '../xml.ts'
import { takenId } from './objects.ts'

const WORLD = '<minx>-180.0</minx><maxx>180.0</maxx><miny>-90.0</miny><maxy>90.0</maxy><crs>EPSG:4326</crs>'

const UNKNOWN_DATA = `<srs>EPSG:4326</srs>
<nativeBoundingBox>${WORLD}</nativeBoundingBox><latLonBoundingBox>${WORLD}</latLonBoundingBox>`

/** What a payload may say of a coverage that is built from its data. */
const NAMES = new Set(['id', 'name', 'nativeName', 'nativeCoverageName', 'namespace', 'store'])

/** What is filled in of any other coverage. */
const GEOMETRY = new Set(['nativeCRS', 'srs', 'nativeBoundingBox', 'latLonBoundingBox', 'grid'])

/** The style a layer gets when none is named; of vectors it would depend on their geometry. */
const STYLES: Readonly<Record<ResourceKind, string>> = {
  featureType: 'point',
  coverage: 'raster',
  wmsLayer: 'raster',
  wmtsLayer: 'raster',
}

const LAYER_TYPES: Readonly<Record<ResourceKind, string>> = {
  featureType: 'VECTOR',
  coverage: 'RASTER',
  wmsLayer: 'WMS',
  wmtsLayer: 'WMTS',
}

/** A new feature type, coverage or cascaded layer, with its layer and tile layer. @throws Refusal 500 */
export function addResource(world: World, kind: ResourceKind, store: Item, name: string, xml: Element): void {
  const { catalog, ids } = world
  if (catalog.find(kind, name, { store: store.id }) !== undefined) {
    throw new Refusal(500, `Resource named '${name}' already exists in store: '${store.name}'`)
  }
  const workspace = catalog.items.get(store.workspace ?? '')
  const namespace = catalog.namespaceOf(store.workspace)
  if (catalog.find('layer', name, { workspace: store.workspace }) !== undefined) {
    throw new Refusal(500, `Resource named '${name}' already exists in namespace: '${namespace?.name}'`)
  }
  const id = takenId(world, xml) ?? ids.next(`${kind[0]?.toUpperCase()}${kind.slice(1)}InfoImpl`)
  fill(world, kind, name, store, xml)
  setText(xml, 'id', id)
  setChild(xml, element('namespace', [element('id', namespace?.id ?? '')]))
  setChild(xml, element('store', [element('id', store.id)], { class: store.kind }))
  const resource: Item = {
    kind,
    id,
    name,
    workspace: workspace?.id,
    store: store.id,
    file: fileOf(kind, name, store),
    xml,
  }
  world.add(resource)
  addLayer(world, resource)
}

/** A coverage of which only the names were given is built from its data; any other is filled in. (CoverageController) */
function fill(world: World, kind: ResourceKind, name: string, store: Item, xml: Element): void {
  const native = textAt(xml, 'nativeName') ?? name
  const found = parseXml(`<data>${world.options.data[native] ?? UNKNOWN_DATA}</data>`)
  const isNew = kind === 'coverage' && xml.children.every((one) => NAMES.has(one.name))
  if (isNew) xml.children = xml.children.filter((one) => one.name === 'id')
  const keywords = isNew ? [name, 'WCS', textAt(store.xml, 'type') ?? ''] : [native, 'features']
  const told = [
    element('title', isNew ? name : native),
    element(
      'keywords',
      keywords.map((word) => element('string', word)),
    ),
    ...found.children.filter((one) => one.name !== 'attributes'),
  ]
  const made = [
    element('name', name),
    element('nativeName', isNew ? name : native),
    ...(isNew ? [element('simpleConversionEnabled', 'false'), element('nativeCoverageName', native)] : []),
    ...policy(kind, isNew, xml),
    ...(kind !== 'coverage' || isNew ? told : found.children.filter((one) => GEOMETRY.has(one.name))),
  ]
  for (const one of made) if (child(xml, one.name) === undefined) xml.children.push(one)
  // Whatever the payload says: what is posted is enabled. (FeatureTypeController, CoverageController)
  setText(xml, 'enabled', 'true')
}

/** A reference system with an identifier is reprojected to; without one no policy is set. (CatalogBuilder) */
function policy(kind: ResourceKind, isNew: boolean, xml: Element): readonly Element[] {
  if (kind !== 'coverage') return [element('projectionPolicy', 'FORCE_DECLARED')]
  const isKnown = isNew || (textAt(xml, 'nativeCRS') ?? '').includes('AUTHORITY[')
  return isKnown ? [element('projectionPolicy', 'REPROJECT_TO_DECLARED')] : []
}

function addLayer(world: World, resource: Item): void {
  const kind = resource.kind as ResourceKind
  const style = world.catalog.find('style', STYLES[kind], { workspace: undefined })
  const id = world.ids.next('LayerInfoImpl')
  const xml = element('layer', [
    element('name', resource.name),
    element('id', id),
    element('type', LAYER_TYPES[kind]),
    ...(style === undefined ? [] : [element('defaultStyle', [element('id', style.id)])]),
    element('resource', [element('id', resource.id)], { class: kind }),
  ])
  const file = fileOf('layer', resource.name, resource)
  const { workspace, name } = resource
  const layer: Item = { kind: 'layer', id, name, workspace, resource: resource.id, file, xml: copy(xml) }
  world.add(layer)
  writeTileLayer(world, layer)
}
