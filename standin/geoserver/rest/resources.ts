import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Answer, type Ask, created, done, list, payload, Refusal, show } from '../http.ts'
import type { ResourceKind, StoreKind } from '../kinds.ts'
import { merge } from '../merge.ts'
import { resolveReferences } from '../refs.ts'
import type { Routes } from '../router.ts'
import { child, element, type Element, parseXml, removeChild, setText, textAt } from '../xml.ts'
import { addResource } from './add-resource.ts'
import { flag, param } from './objects.ts'
import { removeLayer } from './removal.ts'
import { storeOf } from './stores.ts'
import { workspaceOf } from './workspaces.ts'

interface Family {
  readonly kind: ResourceKind
  readonly store: StoreKind
  readonly stores: string
  readonly segment: string
  readonly called: string
}

const FAMILIES: readonly Family[] = [
  { kind: 'featureType', store: 'dataStore', stores: 'datastores', segment: 'featuretypes', called: 'feature type' },
  { kind: 'coverage', store: 'coverageStore', stores: 'coveragestores', segment: 'coverages', called: 'coverage' },
  { kind: 'wmsLayer', store: 'wmsStore', stores: 'wmsstores', segment: 'wmslayers', called: 'cascaded wms layer' },
  { kind: 'wmtsLayer', store: 'wmtsStore', stores: 'wmtsstores', segment: 'layers', called: 'cascaded wmts layer' },
]

/** What is told of data that nobody described. */
const GEOMETRY = element('attribute', [
  element('name', 'the_geom'),
  element('minOccurs', '0'),
  element('maxOccurs', '1'),
  element('nillable', 'true'),
  element('binding', 'org.locationtech.jts.geom.MultiPoint'),
])

export const resources: Routes = Object.assign({}, ...FAMILIES.map(routesOf))

function routesOf(family: Family): Routes {
  const path = `/rest/workspaces/:ws/${family.stores}/:store/${family.segment}`
  const inWorkspace = `/rest/workspaces/:ws/${family.segment}`
  const one = (ask: Ask): Answer => show(ask, withAttributes(ask, resourceOf(ask, family)))
  return {
    [`GET ${path}`]: (ask) => listResources(ask, family, storeOf(ask, family.store)),
    [`POST ${path}`]: (ask) => add(ask, family),
    [`GET ${path}/:name`]: one,
    [`PUT ${path}/:name`]: (ask) => change(ask, family),
    [`DELETE ${path}/:name`]: (ask) => remove(ask, family),
    [`POST|PUT ${path}/:name/reset`]: (ask) => {
      resourceOf(ask, family)
      return done
    },
    ...(family.segment === 'layers' ? {} : { [`GET ${inWorkspace}/:name`]: one }),
  }
}

/** A feature type is shown with the attributes of its data, whatever its file says of them. */
function withAttributes(ask: Ask, resource: Item): Element {
  const { world } = ask
  const shown = encode(ask, resource)
  if (resource.kind !== 'featureType') return shown
  const data = parseXml(`<data>${world.options.data[textAt(resource.xml, 'nativeName') ?? ''] ?? ''}</data>`)
  removeChild(shown, 'attributes')
  shown.children.push(child(data, 'attributes') ?? element('attributes', [GEOMETRY]))
  return shown
}

function resourceOf(ask: Ask, family: Family): Item {
  const name = param(ask, 'name')
  const store = ask.params['store'] === undefined ? undefined : storeOf(ask, family.store)
  const where = { workspace: workspaceOf(ask).id, store: store?.id }
  const found = ask.world.catalog.find(family.kind, name, where)
  if (found !== undefined) return found
  const place = [param(ask, 'ws'), ...(store === undefined ? [] : [store.name]), name].join(',')
  throw new Refusal(404, `No such ${family.called}: ${place}`)
}

function listResources(ask: Ask, { kind, segment }: Family, store: Item): Answer {
  const items = ask.world.catalog.list(kind, { store: store.id }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const at = `workspaces/${param(ask, 'ws')}/${store.kind.toLowerCase()}s/${encodeURIComponent(store.name)}/${segment}`
  const rows = items.map(({ name }) => ({ name, href: `${at}/${encodeURIComponent(name)}` }))
  return list(ask, `${kind}s`, kind, rows)
}

function add(ask: Ask, { kind, store: storeKind, segment }: Family): Answer {
  const store = storeOf(ask, storeKind)
  const xml = payload(ask, kind)
  resolveReferences(ask.world.catalog, xml)
  const name = textAt(xml, 'name') ?? textAt(xml, 'nativeName') ?? ''
  if (name === '') throw new Refusal(500, 'Resource name must not be null')
  addResource(ask.world, kind, store, name, xml)
  const at = `workspaces/${param(ask, 'ws')}/${store.kind.toLowerCase()}s/${encodeURIComponent(store.name)}/${segment}`
  const answer = created(ask, `${at}/${encodeURIComponent(name)}`, name)
  // A new feature type is told without its name. (recorded)
  return kind === 'featureType' ? { ...answer, body: '' } : answer
}

function change(ask: Ask, family: Family): Answer {
  const { world } = ask
  const resource = resourceOf(ask, family)
  const xml = payload(ask, family.kind)
  resolveReferences(world.catalog, xml)
  merge(resource, xml, world.options.version)
  const layer = world.catalog.layerOf(resource)
  const before = world.catalog.qualified(resource)
  resource.name = textAt(resource.xml, 'name') ?? resource.name
  world.save(resource)
  world.tileLayers.truncate(before)
  if (layer === undefined || layer.name === resource.name) return done
  layer.name = resource.name
  setText(layer.xml, 'name', resource.name)
  world.save(layer)
  world.tileLayers.rename(before, world.catalog.qualified(layer))
  return done
}

function remove(ask: Ask, family: Family): Answer {
  const resource = resourceOf(ask, family)
  const layer = ask.world.catalog.layerOf(resource)
  if (layer === undefined) ask.world.remove(resource)
  else if (flag(ask, 'recurse')) removeLayer(ask.world, layer)
  else throw new Refusal(403, `${family.called} referenced by layer(s)`)
  return done
}
