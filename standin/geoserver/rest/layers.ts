import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { writeTileLayer } from '../gwc/default-layer.ts'
import { type Answer, type Ask, done, list, payload, Refusal, show } from '../http.ts'
import { merge } from '../merge.ts'
import { resolveReferences } from '../refs.ts'
import type { Routes } from '../router.ts'
import { child, writeXml } from '../xml.ts'
import { flag, param } from './objects.ts'
import { removeLayer } from './removal.ts'
import { inside, placeIn, workspaceOf } from './workspaces.ts'

export const layers: Routes = {
  'GET /rest/layers': (ask) => listLayers(ask, undefined),
  'GET /rest/workspaces/:ws/layers': (ask) => listLayers(ask, workspaceOf(ask)),
  ...routesOf('/rest/layers/:name'),
  ...routesOf('/rest/workspaces/:ws/layers/:name'),
}

function routesOf(path: string): Routes {
  return {
    [`GET ${path}`]: (ask) => show(ask, encode(ask, layerOf(ask))),
    [`PUT ${path}`]: changeLayer,
    [`DELETE ${path}`]: deleteLayer,
  }
}

function layerOf(ask: Ask): Item {
  const name = param(ask, 'name')
  const { catalog } = ask.world
  const within = inside(ask)
  const found =
    within === undefined ? catalog.byQualified('layer', name) : catalog.find('layer', name, { workspace: within.id })
  if (found === undefined)
    throw new Refusal(404, `No such layer: ${within === undefined ? '' : `${within.name}:`}${name}`)
  return found
}

function listLayers(ask: Ask, workspace: Item | undefined): Answer {
  const { catalog } = ask.world
  const items = catalog.list('layer', workspace === undefined ? {} : { workspace: workspace.id })
  const rows = items.map((item) => {
    const name = workspace === undefined ? catalog.qualified(item) : item.name
    return { name, href: placeIn(workspace, 'layers', name) }
  })
  return list(ask, 'layers', 'layer', rows)
}

/** Another style makes a new tile layer, and the tiles are dropped. */
function changeLayer(ask: Ask): Answer {
  const { world } = ask
  const layer = layerOf(ask)
  const xml = payload(ask, 'layer')
  resolveReferences(world.catalog, xml)
  xml.children = xml.children.filter(({ name }) => !['name', 'resource', 'type'].includes(name))
  const before = stylesOf(layer)
  merge(layer, xml, world.options.version)
  world.save(layer)
  if (stylesOf(layer) !== before && world.tileLayers.find(world.catalog.qualified(layer)) !== undefined) {
    writeTileLayer(world, layer, true)
  }
  world.tileLayers.truncate(world.catalog.qualified(layer))
  return done
}

function stylesOf({ xml }: Item): string {
  return [child(xml, 'defaultStyle'), child(xml, 'styles')]
    .map((one) => (one === undefined ? '' : writeXml(one)))
    .join()
}

function deleteLayer(ask: Ask): Answer {
  const layer = layerOf(ask)
  const { world } = ask
  const isMember = world.catalog.users(layer).some(({ kind }) => kind === 'layerGroup')
  if (flag(ask, 'recurse')) removeLayer(world, layer)
  else if (isMember) throw new Refusal(403, 'Unable to delete layer referenced by layer group')
  else world.remove(layer)
  return done
}
