import type { Item } from '../catalog.ts'
import type { World } from '../world.ts'
import { child, element, type Element, textAt } from '../xml.ts'
import { mercator } from './mercator.ts'

const META_TILES = 4

const strings = (values: readonly string[]): readonly Element[] => values.map((value) => element('string', value))

/** Writes the tile layer of a layer or group as GeoServer makes it by itself; `withExtents` when its style changed. */
export function writeTileLayer(world: World, of: Item, withExtents = false): void {
  if (!world.tileConfig.byDefault) return
  const resource = world.catalog.items.get(of.resource ?? '')
  const family = of.kind === 'layerGroup' ? 'Other' : resource?.kind === 'coverage' ? 'Coverage' : 'Vector'
  const box = withExtents ? boxOf(world, of) : undefined
  const xml = element('GeoServerTileLayer', [
    element('id', of.id),
    element('enabled', 'true'),
    element('inMemoryCached', 'true'),
    element('name', world.catalog.qualified(of)),
    element('mimeFormats', strings(world.tileConfig.formats(family))),
    element('gridSubsets', [
      subset('EPSG:4326', box),
      subset('EPSG:900913', box === undefined ? undefined : mercator(box)),
    ]),
    element('metaWidthHeight', [element('int', String(META_TILES)), element('int', String(META_TILES))]),
    element('expireCache', '0'),
    element('expireClients', '0'),
    element('parameterFilters', of.kind === 'layer' ? [styleFilter(world, of)] : undefined),
    element('gutter', '0'),
    element('cacheWarningSkips'),
  ])
  world.tileLayers.save(of.id, xml)
}

function subset(name: string, box: readonly string[] | undefined): Element {
  const coords = box?.map((value) => element('double', value))
  const extent = coords === undefined ? [] : [element('extent', [element('coords', coords)])]
  return element('gridSubset', [element('gridSetName', name), ...extent])
}

function styleFilter({ catalog }: World, layer: Item): Element {
  const nameOf = (node: Element | undefined): string => {
    const style = catalog.items.get(textAt(node, 'id') ?? '')
    return style === undefined ? '' : catalog.qualified(style)
  }
  const others = (child(layer.xml, 'styles')?.children ?? []).map(nameOf).toSorted()
  return element('styleParameterFilter', [
    element('key', 'STYLES'),
    element('defaultValue', ''),
    element('availableStyles', strings(others), { class: 'sorted-set' }),
    element('defaultStyle', nameOf(child(layer.xml, 'defaultStyle'))),
  ])
}

/** minx, miny, maxx, maxy in degrees. */
function boxOf({ catalog }: World, of: Item): readonly string[] | undefined {
  const resource = catalog.items.get(of.resource ?? '')
  const box = child(resource?.xml, 'latLonBoundingBox') ?? child(of.xml, 'bounds')
  const sides = ['minx', 'miny', 'maxx', 'maxy'].map((side) => textAt(box, side) ?? '')
  return sides.includes('') ? undefined : sides
}
